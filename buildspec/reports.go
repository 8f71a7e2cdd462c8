package buildspec

import (
	"fmt"
	"strings"
	"unicode"
)

// reportFormats are those of tests, then those of coverage. LCOV is on CodeBuild's page about coverage, though not on
// its page about buildspecs. GOTESTJSON, TAP and GOCOVER are ours.
var reportFormats = []string{
	"JUNITXML", "CUCUMBERJSON", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX",
	"GOTESTJSON", "TAP", "CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV", "LCOV", "GOCOVER",
}

// mostGroups is CodeBuild's bound on report groups.
const mostGroups = 5

func (c *checker) reports(e entry) {
	n, ok := c.block(e, "reports")
	if !ok {
		return
	}
	for _, group := range n.entries {
		c.reportGroup(group)
	}
	if len(n.entries) > mostGroups {
		c.warn(e.at, complaint{
			message: fmt.Sprintf("there are %d report groups: all are kept here, and CodeBuild takes %d", len(n.entries), mostGroups),
		})
	}
}

func (c *checker) reportGroup(e entry) {
	if strings.TrimSpace(e.key) == "" || strings.ContainsFunc(e.key, unicode.IsControl) {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%q cannot be the name of a report group", shorten(e.key)),
			hint:    "use letters, digits, hyphens and underscores",
		})
		return
	}
	s := reportSection.named("reports." + shorten(e.key))
	n, ok := c.block(e, s.name)
	if !ok && e.value.kind != null {
		return
	}
	r := Report{Group: e.key, Format: reportFormats[0]}
	before := c.counts[SeverityError]
	if ok {
		c.section(s, n, map[string]func(entry){
			"files":          func(e entry) { r.Files = c.texts(e, s.path("files")) },
			"file-format":    func(e entry) { r.Format = c.reportFormat(e, s.path("file-format")) },
			"base-directory": func(e entry) { r.BaseDirectory, _ = c.text(e, s.path("base-directory")) },
			"discard-paths":  func(e entry) { r.DiscardPaths = c.flag(e, s.path("discard-paths")) },
		})
	}
	switch {
	case !ok || n.get("files") == nil:
		c.fail(e.at, complaint{
			message: s.name + " lacks the key files",
			hint:    "list the files that hold the results, for example files: ['reports/**/*.xml']",
		})
	case len(r.Files) > 0:
		c.spec.Reports = append(c.spec.Reports, r)
	case c.counts[SeverityError] == before:
		c.warn(e.at, complaint{
			message: s.path("files") + " is empty: this report stays empty, and is left out",
			hint:    "list the files that hold the results, or remove the group",
		})
	}
}

// reportFormat is a format in upper case.
func (c *checker) reportFormat(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok || text == "" {
		return reportFormats[0]
	}
	for _, f := range reportFormats {
		if !strings.EqualFold(f, text) {
			continue
		}
		if ourFormat(f) {
			c.warn(e.value.at, complaint{
				message: fmt.Sprintf("%s: %s is a format of Runner's own, which CodeBuild does not take", what, f),
				hint:    "keep it if this file is only for Runner; otherwise leave the group out: such files are found without it",
			})
		}
		return f
	}
	hint := "write one of " + strings.Join(reportFormats, ", ")
	if near := nearFormat(text); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be a format of test results or coverage, but this is %s", what, e.value.found()),
		hint:    hint,
	})
	return ""
}

// ourFormat tells whether CodeBuild does not know a format.
func ourFormat(format string) bool {
	return format == "GOTESTJSON" || format == "TAP" || format == "GOCOVER"
}

// nearFormat is the format that a word means, "" if none is near: people leave the XML away.
func nearFormat(word string) string {
	for _, f := range reportFormats {
		if len(word) > 2 && strings.Contains(f, strings.ToUpper(word)) {
			return f
		}
	}
	return nearest(word, reportFormats)
}
