package parse

import (
	"strings"

	"github.com/runner-ci/runner/tests"
)

// testng reads testng-results.xml (https://testng.org/#_xml_reports): suites of tests of classes of test-methods.
// Methods that configure are no tests, but one that fails is an error of its class. A method's parameters are part of
// its name, as they are all that tells its runs apart.
type testng struct {
	in           *input
	suite, class string
	c            *tests.Case
	config       bool
	params       []string
	output       strings.Builder
	text         bounded
}

func parseTestNG(in *input) error { return walk(in, &testng{in: in}) }

func (t *testng) start(x *xmlReader) error {
	switch x.name {
	case "test":
		t.suite = x.attribute("name", tests.MaxName)
	case "class":
		t.class = x.attribute("name", tests.MaxName)
	case "test-method":
		if t.c != nil {
			return errNested
		}
		t.c = &tests.Case{
			Suite: t.suite, Class: t.class, Name: x.attribute("name", tests.MaxName),
			Duration: milliseconds(x.attribute("duration-ms", 32)), Status: testngStatus(x.attribute("status", 16)),
		}
		t.config = x.attribute("is-config", 8) == "true"
		t.params = t.params[:0]
	case "value":
		x.capture(&t.text, 200)
	case "message":
		x.capture(&t.text, tests.MaxMessage)
	case "full-stacktrace", "short-stacktrace":
		x.capture(&t.text, tests.MaxDetails)
	case "line":
		if t.c != nil {
			x.capture(&t.text, tests.MaxMessage)
		}
	}
	return nil
}

func testngStatus(word string) tests.Status {
	switch strings.ToUpper(word) {
	case "PASS":
		return tests.Succeeded
	case "FAIL":
		return tests.Failed
	case "SKIP":
		return tests.Skipped
	}
	return tests.Unknown
}

func (t *testng) end(x *xmlReader) error {
	if t.c == nil {
		return nil
	}
	switch x.name {
	case "value":
		if len(t.params) < 50 {
			t.params = append(t.params, strings.TrimSpace(x.captured()))
		}
	case "message":
		t.c.Message = strings.TrimSpace(x.captured())
	case "full-stacktrace", "short-stacktrace":
		if t.c.Details == "" || x.name == "full-stacktrace" {
			t.c.Details = strings.TrimSpace(x.captured())
		}
	case "line":
		if t.output.Len() < tests.MaxDetails {
			t.output.WriteString(strings.TrimSpace(x.captured()) + "\n")
		}
	case "test-method":
		return t.endMethod()
	default:
		return nil
	}
	x.capture(nil, 0)
	return nil
}

func (t *testng) endMethod() error {
	c := t.c
	t.c = nil
	c.Output = tests.Cut(t.output.String(), tests.MaxDetails)
	t.output.Reset()
	if t.config {
		if !c.Status.Bad() {
			return nil
		}
		c.Status = tests.Error
	}
	if len(t.params) > 0 {
		c.Name += "(" + strings.Join(t.params, ", ") + ")"
	}
	return t.in.emit(c)
}
