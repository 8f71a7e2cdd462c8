package buildspec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// longestIdentifier bounds an identifier in characters.
const longestIdentifier = 128

var identifier = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// entries are the jobs of a graph or a list.
func (c *checker) entries(e entry, s section, what string) []Entry {
	if e.value.kind != list {
		if e.value.kind == null {
			c.emptyBatch(e, what)
		} else {
			c.wrong(e.value, what, "a list")
		}
		return nil
	}
	if len(e.value.items) == 0 {
		c.emptyBatch(e, what)
	}
	var all []Entry
	seen := map[string]int{}
	for i, n := range e.value.items {
		path := fmt.Sprintf("%s[%d]", what, i)
		if n.kind != mapping {
			c.wrong(n, "an entry of "+what, "a mapping of keys")
			continue
		}
		one := c.entry(n, s.named(path), what)
		if one.Identifier != "" {
			if line, twice := seen[one.Identifier]; twice {
				c.fail(one.at, complaint{
					message: fmt.Sprintf("the identifier %q is taken: the entry on line %d has it", one.Identifier, line),
					hint:    "give each entry an identifier of its own",
				})
				continue
			}
			seen[one.Identifier] = one.at.line
			all = append(all, one)
		}
	}
	c.depends(all)
	return all
}

func (c *checker) emptyBatch(e entry, what string) {
	c.fail(e.at, complaint{
		message: what + " has no entries, so there is nothing to run",
		hint:    "add - identifier: with a name, or remove batch",
	})
}

func (c *checker) entry(n *node, s section, what string) Entry {
	one := Entry{at: n.at}
	readers := map[string]func(entry){
		"identifier":     func(e entry) { one.Identifier, one.at = c.identifier(e, s.path("identifier")), e.value.at },
		"buildspec":      func(e entry) { one.Buildspec, one.specAt = c.otherFile(e, s.path("buildspec")), e.value.at },
		"ignore-failure": func(e entry) { one.IgnoreFailure = c.flag(e, s.path("ignore-failure")) },
		"debug-session":  func(e entry) { one.DebugSession = c.flag(e, s.path("debug-session")) },
		"env":            func(e entry) { c.entryEnv(e, s.path("env"), &one.Env) },
		"depend-on":      func(e entry) { c.dependOn(e, s.path("depend-on"), &one) },
	}
	for i, e := range n.entries {
		if e.key == "depend-on" && what == "batch.build-list" {
			c.warn(e.at, complaint{
				message: "depend-on in batch.build-list is ignored: the jobs of a list run at once",
				hint:    "write build-graph instead of build-list",
			})
			n = &node{kind: n.kind, at: n.at, entries: slices.Delete(slices.Clone(n.entries), i, i+1)} // shared by aliases
			break
		}
	}
	c.section(s, n, readers)
	if n.get("identifier") == nil {
		c.fail(n.at, complaint{
			message: fmt.Sprintf("an entry of %s lacks the key identifier", what),
			hint:    "add identifier: with a name of letters, digits and underscores",
		})
	}
	return one
}

// identifier is a job's name, "" when it is told to be none.
func (c *checker) identifier(e entry, what string) string {
	text, ok := c.text(e, what)
	switch {
	case e.value.kind == null || ok && text == "":
		c.fail(e.at, complaint{message: what + " is empty", hint: "write a name of letters, digits and underscores"})
	case !ok:
	case !identifier.MatchString(text) || len(text) > longestIdentifier:
		hint := fmt.Sprintf("use letters, digits and underscores, at most %d", longestIdentifier)
		if near := sanitized(text); near != "" && len(near) <= longestIdentifier {
			hint = "write " + near
		}
		c.fail(e.value.at, complaint{message: fmt.Sprintf("%q cannot identify a job", shorten(text)), hint: hint})
	default:
		if strings.Contains(text, "-") {
			c.warn(e.value.at, complaint{
				message: fmt.Sprintf("the identifier %q holds a hyphen, which CodeBuild may not take", shorten(text)),
				hint:    "write " + sanitized(text),
			})
		}
		return text
	}
	return ""
}

// otherFile is the path of another buildspec in the same source, clean.
func (c *checker) otherFile(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok || text == "" {
		return ""
	}
	return c.cleanPath(e.value, what, text)
}

func (c *checker) cleanPath(n *node, what, text string) string {
	clean := path.Clean(text)
	switch {
	case strings.HasPrefix(text, "arn:"), strings.Contains(text, "://"), strings.ContainsAny(text, "\n$"):
		c.fail(n.at, complaint{
			message: fmt.Sprintf("%s must be the path of a file in the source, but this is %s", what, n.found()),
			hint:    "commit the file, and write its path from the root of the repository",
		})
	case path.IsAbs(clean), clean == "..", strings.HasPrefix(clean, "../"), clean == ".":
		c.fail(n.at, complaint{
			message: fmt.Sprintf("%s must be the path of a file in the source, but %q is outside", what, shorten(text)),
			hint:    "write its path from the root of the repository, without a / at the beginning",
		})
	default:
		return clean
	}
	return ""
}

// dependOn are the identifiers that an entry waits for, each once.
func (c *checker) dependOn(e entry, what string, to *Entry) {
	for _, n := range c.items(e, what) {
		switch {
		case n.kind == null:
			c.warn(n.at, complaint{message: fmt.Sprintf("an item of %s is empty, and is ignored", what), hint: "remove the dash"})
		case n.kind != scalar:
			c.wrong(n, "an item of "+what, "text")
		case slices.Contains(to.DependsOn, n.text):
			c.warn(n.at, complaint{message: fmt.Sprintf("%s names %s twice", what, shorten(n.text)), hint: "remove one of the two"})
		default:
			to.DependsOn = append(to.DependsOn, n.text)
			to.dependsAt = append(to.dependsAt, n.at)
		}
	}
}
