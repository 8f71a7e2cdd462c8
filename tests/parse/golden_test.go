package parse

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/tests"
)

var update = flag.Bool("update", false, "write what the parsers say into the .golden files")

// fixtures are the report files in testdata: testdata/FORMAT/NAME, with NAME.golden beside it. README.md says what made
// each.
func fixtures(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*/*")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(name string) bool {
		return strings.HasSuffix(name, ".golden") || filepath.Dir(name) == "testdata/fuzz" || filepath.Dir(name) == "testdata/suites"
	})
	if len(all) < 20 {
		t.Fatalf("only %d fixtures below testdata: they are part of the repository", len(all))
	}
	return all
}

func TestFixtures(t *testing.T) {
	for _, name := range fixtures(t) {
		t.Run(strings.TrimPrefix(name, "testdata/"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			part := tests.NewPart(tests.Run{}, name)
			parser := Parser{Root: "/src"}
			format := filepath.Base(filepath.Dir(name))
			part.Problem(parser.Parse(format, "report", bytes.NewReader(text), Sink{Case: part.Case, File: part.File}))
			got := show(part)
			if *update {
				if err := os.WriteFile(name+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if sniffed := Sniff(text[:min(len(text), 16<<10)]); sniffed != format && !bytes.HasPrefix(text, []byte("\xff\xfe")) {
				t.Errorf("its beginning looks like %q, want %s", sniffed, format)
			}
		})
	}
}

// show writes a part for a reader: a line for each case, what is known of it below, then coverage, then problems.
func show(p *tests.Part) string {
	var b strings.Builder
	for _, c := range p.Cases {
		fmt.Fprintf(&b, "%-9s %s in %s\n", c.Status, c.ID, c.Duration)
		fmt.Fprintf(&b, "          suite %q class %q name %q\n", c.Suite, c.Class, c.Name)
		if c.File != "" {
			fmt.Fprintf(&b, "          at %s:%d\n", c.File, c.Line)
		}
		if c.Message != "" {
			fmt.Fprintf(&b, "          message %q\n", c.Message)
		}
		if c.Details != "" {
			fmt.Fprintf(&b, "          details %q\n", brief(c.Details))
		}
		if c.Output != "" {
			fmt.Fprintf(&b, "          output %q\n", brief(c.Output))
		}
		if c.Build {
			fmt.Fprintf(&b, "          it did not build\n")
		}
		for _, t := range c.Tries {
			fmt.Fprintf(&b, "          earlier %s in %s %q %q\n", t.Status, t.Duration, t.Message, brief(t.Details))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		f := p.Files[path]
		known, _ := f.Known.MarshalText()
		hit, _ := f.Hit.MarshalText()
		fmt.Fprintf(&b, "%s\n  lines    %+v of %s, hit %s\n  branches %+v\n", path, f.LineTotals(), known, hit, f.BranchTotals())
	}
	for _, text := range p.Problems {
		fmt.Fprintf(&b, "problem: %s\n", text)
	}
	return b.String()
}

func brief(text string) string {
	if len(text) <= 160 {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", tests.Cut(text, 160), len(text))
}
