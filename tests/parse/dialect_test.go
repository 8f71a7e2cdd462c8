package parse

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/tests"
)

// dialects are the reports of the tools that are promised, with how many tests each has by result: succeeded, failed or
// in error, skipped. What a tool does not write at all is named.
var dialects = map[string]struct {
	succeeded, bad, skipped int
	without                 string
}{
	"JUNITXML/surefire-2.22.xml":    {2, 2, 1, ""},
	"JUNITXML/surefire.xml":         {2, 3, 1, ""},
	"JUNITXML/gradle-4.4.xml":       {1, 3, 1, ""},
	"JUNITXML/gradle.xml":           {1, 1, 1, ""},
	"JUNITXML/gotestsum.xml":        {5, 4, 1, ""},
	"JUNITXML/pytest.xml":           {6, 3, 2, ""},
	"JUNITXML/pytest-xunit1.xml":    {6, 2, 2, ""},
	"JUNITXML/jest.xml":             {4, 3, 1, ""},
	"JUNITXML/mocha.xml":            {2, 2, 1, ""},
	"JUNITXML/mocha-xunit.xml":      {2, 2, 1, ""},
	"JUNITXML/rspec.xml":            {4, 2, 1, ""},
	"JUNITXML/phpunit.xml":          {3, 4, 2, ""},
	"JUNITXML/ctest.xml":            {1, 2, 2, "line"},
	"JUNITXML/dotnet.xml":           {1, 1, 1, ""},
	"TESTNGXML/testng-6.9.xml":      {3, 2, 1, ""},
	"NUNITXML/nunit-2.6.xml":        {3, 2, 2, ""},
	"NUNIT3XML/nunit3.xml":          {1, 3, 1, ""},
	"VISUALSTUDIOTRX/dotnet.trx":    {2, 2, 1, ""},
	"CUCUMBERJSON/cucumber-js.json": {3, 2, 1, ""},
	"GOTESTJSON/go":                 {5, 4, 1, ""},
	"TAP/node.tap":                  {3, 2, 2, ""},
	"TAP/prove.tap":                 {3, 2, 2, "message line time"},
}

// TestEveryDialectTellsOfItsTests: no test is lost, and somewhere in each report a test has a duration, and a failure a
// message, and the file and the line at which it failed.
func TestEveryDialectTellsOfItsTests(t *testing.T) {
	for name, want := range dialects {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			var succeeded, bad, skipped int
			var timed, told, placed bool
			sink := Sink{Case: func(c *tests.Case) error {
				timed = timed || c.Duration > 0
				switch {
				case c.Name == "" || tests.Identify(c) == "":
					t.Errorf("a test has no name: %+v", c)
				case c.Status == tests.Succeeded:
					succeeded++
				case c.Status == tests.Skipped:
					skipped++
				case c.Status.Bad():
					bad++
					told = told || c.Message != ""
					placed = placed || c.File != "" && c.Line > 0
				}
				return nil
			}}
			format, _, _ := strings.Cut(name, "/")
			if err := (Parser{Root: "/src"}).Parse(format, "report", bytes.NewReader(text), sink); err != nil {
				t.Fatal(err)
			}
			if succeeded != want.succeeded || bad != want.bad || skipped != want.skipped {
				t.Errorf("%d succeeded, %d failed, %d were skipped; want %d, %d, %d", succeeded, bad, skipped, want.succeeded, want.bad, want.skipped)
			}
			if told == strings.Contains(want.without, "message") || timed == strings.Contains(want.without, "time") || placed == strings.Contains(want.without, "line") {
				t.Errorf("a message: %t, a duration: %t, a line: %t; without %q", told, timed, placed, want.without)
			}
		})
	}
}

// TestEveryFixtureSaysWhatMadeIt: what a tool has written and what is written by hand prove different things.
func TestEveryFixtureSaysWhatMadeIt(t *testing.T) {
	text, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fixtures(t) {
		if name = strings.TrimPrefix(name, "testdata/"); !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("testdata/README.md does not say what made %s", name)
		}
	}
}
