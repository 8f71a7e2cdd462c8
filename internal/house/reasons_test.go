package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// reasonWords finds the words that code gives for reasons, however it does so.
var reasonWords = []*regexp.Regexp{
	regexp.MustCompile(`\b[Rr]eason: +"([a-z_]*[a-z])"`),
	regexp.MustCompile(`\b[Rr]eason[A-Z]\w* += "([a-z_]*[a-z])"`),
	regexp.MustCompile(`\b(?:imageMissing|imagePull|engineUnavailable|engineUnknown) += "([a-z_]*[a-z])"`),
	regexp.MustCompile(`\b(?:[Rr]eason|packing)(?:, \S+)? :?= (?:[^"\n]+, )?"([a-z_]*[a-z])"`),
	regexp.MustCompile(`\bfault\("([a-z_]*[a-z])"`),
	regexp.MustCompile(`\b(?:endQueued|unprepared)\([^"\n]*"([a-z_]*[a-z])"`),
	regexp.MustCompile(`\breturn "([a-z]+_limit|oom)"`),
}

// kindWords are those of package source, which a reason ends with.
var kindWords = regexp.MustCompile(`\bKind\w+ +Kind = "([a-z_]*[a-z])"`)

func TestEveryReasonIsInTheVocabulary(t *testing.T) {
	known, used := make(map[string]bool), make(map[string]bool)
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range client.Reasons {
		if known[r.Word] {
			t.Errorf("client.Reasons has %s twice", r.Word)
		}
		known[r.Word] = true
		if row := fmt.Sprintf("| `%s` | %s | %s |\n", r.Word, r.Status, r.Means); !strings.Contains(string(doc), row) {
			t.Errorf("docs/api.md lacks the row %s", row)
		}
	}
	for _, dir := range []string{"runner", "runner/agent", "runner/wire", "scheduler", "source"} {
		files, _ := filepath.Glob(filepath.Join("../..", dir, "*.go"))
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, re := range reasonWords {
				for _, m := range re.FindAllStringSubmatch(string(text), -1) {
					used[m[1]] = true
				}
			}
			if dir == "source" {
				for _, m := range kindWords.FindAllStringSubmatch(string(text), -1) {
					used["source_"+m[1]] = true
				}
			}
		}
	}
	for word := range used {
		if !known[word] {
			t.Errorf("the reason %s is given by code and is not in client.Reasons", word)
		}
	}
	for word := range known {
		if !used[word] {
			t.Errorf("client.Reasons has %s, which no code gives", word)
		}
	}
}
