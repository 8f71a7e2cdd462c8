package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
)

func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	out := map[string]string{}
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

// TestBuildspecsInTheGuidesAreValid: somebody will copy them. What a guide shows has neither errors nor warnings.
func TestBuildspecsInTheGuidesAreValid(t *testing.T) {
	fence := regexp.MustCompile("(?s)```yaml\n(version: 0.*?)```")
	looked := 0
	for page, text := range pages(t) {
		if base := filepath.Base(page); !strings.HasPrefix(base, "from-") && base != "start.md" && base != "README.md" {
			continue
		}
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			looked++
			spec, err := buildspec.Parse("buildspec.yml", []byte(m[1]))
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, m[1])
			} else if len(spec.Warnings) > 0 {
				t.Errorf("%s: %v\n%s", page, spec.Warnings, m[1])
			}
		}
	}
	if looked < 7 {
		t.Errorf("only %d buildspecs were looked at", looked)
	}
}

// TestSentencesThatTroubleshootingNamesAreSaid finds each in the code: one that nobody sees any more helps nobody.
func TestSentencesThatTroubleshootingNamesAreSaid(t *testing.T) {
	tr := load(t)
	code := allCode(t, tr)
	sentences := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(pages(t)["../../docs/troubleshooting.md"], -1)
	if len(sentences) < 30 {
		t.Fatalf("only %d sentences are found: has the page's form changed?", len(sentences))
	}
	for _, m := range sentences {
		if !strings.Contains(code, m[1]) {
			t.Errorf("docs/troubleshooting.md quotes %q, which nothing says", m[1])
		}
	}
}

// TestLinksInTheDocsLead: each to a page that is there, and to a heading that is in it.
func TestLinksInTheDocsLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(withoutCode(text), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, m[1])
				continue
			}
			if to, ok := all[path]; ok && heading != "" && !headings(to)[heading] {
				t.Errorf("%s leads to %s, and %s has no such heading", page, m[1], path)
			}
		}
	}
}

// withoutCode leaves out blocks of code, in which brackets are no links.
func withoutCode(text string) string {
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
}

// headings are the anchors of a page, as forges make them.
func headings(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(withoutCode(text), -1) {
		anchor := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return out
}
