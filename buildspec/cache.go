package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// mostFallbacks is CodeBuild's bound on fallback-keys.
const mostFallbacks = 5

var cacheActions = []string{"restore", "save"}

func (c *checker) cache(e entry) {
	n, ok := c.block(e, cacheSection.name)
	if !ok {
		return
	}
	to := &Cache{}
	path := cacheSection.path
	before := c.counts[SeverityError]
	c.section(cacheSection, n, map[string]func(entry){
		"paths":         func(e entry) { to.Paths = c.texts(e, path("paths")) },
		"key":           func(e entry) { to.Key, _ = c.text(e, path("key")) },
		"fallback-keys": func(e entry) { to.Fallback = c.fallbacks(e, path("fallback-keys")) },
		"action":        func(e entry) { to.Action = c.cacheAction(e, path("action")) },
	})
	if len(to.Fallback) > 0 && to.Key == "" {
		c.warn(e.at, complaint{
			message: "cache.fallback-keys has no effect without cache.key, and is ignored",
			hint:    "add key:, or remove fallback-keys",
		})
		to.Fallback = nil
	}
	switch {
	case len(to.Paths) > 0:
		c.spec.Cache = to
	case c.counts[SeverityError] == before:
		c.warn(e.at, complaint{
			message: "cache has no paths: nothing is cached",
			hint:    "list what to keep, for example paths: ['/root/.cache/**/*']",
		})
	}
}

func (c *checker) fallbacks(e entry, what string) []string {
	keys := slices.DeleteFunc(c.texts(e, what), func(k string) bool { return k == "" }) // "" would begin every key
	if len(keys) > mostFallbacks {
		c.warn(e.value.at, complaint{
			message: fmt.Sprintf("%s has %d keys: the first %d are tried, as many as CodeBuild takes", what, len(keys), mostFallbacks),
			hint:    "remove the others",
		})
		keys = keys[:mostFallbacks]
	}
	return keys
}

func (c *checker) cacheAction(e entry, what string) string {
	text, ok := c.text(e, what)
	word := strings.ToLower(text)
	if !ok || slices.Contains(cacheActions, word) {
		return word
	}
	hint := "write restore or save; without the key both are done"
	if near := nearest(text, cacheActions); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be restore or save, but this is %s", what, e.value.found()),
		hint:    hint,
	})
	return ""
}
