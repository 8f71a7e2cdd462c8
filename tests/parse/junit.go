package parse

import (
	"cmp"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// junit reads the XML that Ant's JUnit task began and every tool has a dialect of. There is no standard; the closest
// to one are Jenkins' and surefire's schemas (https://maven.apache.org/surefire/maven-surefire-plugin/xsd/). Suites
// nest; a case may have several failures, skipped, output, and surefire's elements for reruns.
type junit struct {
	in     *input
	suites []suite
	// c is the case that is open, nil between cases.
	c *tests.Case
	// try is the surefire rerun that is open.
	try     *tests.Try
	failed  bool // a failure or error of the open case is being captured
	text    bounded
	details strings.Builder
	output  bounded // raw: only of a case that did not succeed is it decoded
	unique  bool    // the tool gives each test its own name
	todo    bool    // node: the open case is not expected to pass
	kind    string  // of the open case's first failure: the exception
	inSuite bool    // a failure or error stands in the suite itself
}

type suite struct{ name, file string }

func parseJUnit(in *input) error {
	return walk(in, &junit{in: in, output: bounded{max: tests.MaxDetails}})
}

func (j *junit) start(x *xmlReader) error {
	switch x.name {
	case "testsuite":
		return j.startSuite(x)
	case "testcase":
		return j.startCase(x)
	case "property":
		// gotestsum writes this into each suite. Go makes names unique, and gotestsum's reruns repeat them.
		j.unique = j.unique || j.c == nil && x.attribute("name", 64) == "go.version"
		return nil
	}
	if j.try == nil {
		j.startChild(x)
	} else if x.name == "stackTrace" {
		x.capture(&j.text, tests.MaxDetails)
	}
	return nil
}

func (j *junit) startSuite(x *xmlReader) error {
	s := suite{name: x.attribute("name", tests.MaxName), file: x.attribute("file", tests.MaxName)}
	if n := len(j.suites); n > 0 {
		if s.name == "" {
			s.name = j.suites[n-1].name
		}
		if s.file == "" {
			s.file = j.suites[n-1].file
		}
	}
	j.suites = append(j.suites, s)
	return nil
}

// suite is the innermost suite.
func (j *junit) suite() suite {
	if n := len(j.suites); n > 0 {
		return j.suites[n-1]
	}
	return suite{}
}

func (j *junit) startCase(x *xmlReader) error {
	if j.c != nil {
		return errNested
	}
	c := &tests.Case{Suite: j.suite().name, Unique: j.unique}
	for _, a := range x.attributes() {
		switch string(a.name) {
		case "name":
			c.Name = decodeText(a.value, tests.MaxName)
		case "classname", "class":
			c.Class = decodeText(a.value, tests.MaxName)
		case "file", "filepath":
			c.File = decodeText(a.value, tests.MaxName)
		case "line", "lineno":
			c.Line = min(atoi(a.value), tests.MaxLine)
		case "time", "duration":
			c.Duration = seconds(string(a.value))
		case "status", "result":
			c.Status = junitStatus(string(a.value), c.Status)
		}
	}
	if c.File == "" {
		c.File = j.suite().file
	}
	j.c = c
	return nil
}

// junitStatus is what a case's attributes status (ctest, gtest, nose) and result (gtest) say; was is what the other
// one said. Children say more, and come later.
func junitStatus(word string, was tests.Status) tests.Status {
	switch strings.ToLower(word) {
	case "notrun", "disabled", "skipped", "suppressed", "ignored":
		return tests.Skipped
	case "fail", "failed", "failure":
		return tests.Failed
	case "error":
		return tests.Error
	}
	return was
}

// startChild looks at an element within a case or a suite.
func (j *junit) startChild(x *xmlReader) {
	switch x.name {
	case "failure", "error", "warning":
		j.startFailure(x)
	case "skipped", "ignored", "disabled":
		if j.c != nil && !j.c.Status.Bad() {
			j.c.Status = tests.Skipped
			j.todo = x.attribute("type", 16) == "todo"
			j.c.Message = x.attribute("message", tests.MaxMessage)
			x.capture(&j.text, tests.MaxMessage)
		}
	case "flakyFailure", "flakyError", "rerunFailure", "rerunError":
		if j.c != nil {
			j.try = &tests.Try{Status: tests.Failed, Message: x.attribute("message", tests.MaxMessage), Duration: seconds(x.attribute("time", 32))}
			if strings.HasSuffix(x.name, "Error") {
				j.try.Status = tests.Error
			}
			x.capture(&j.text, tests.MaxDetails)
		}
	case "system-out", "system-err":
		if j.c != nil {
			x.capture(&j.text, tests.MaxDetails)
		}
	}
}

// startFailure begins a failure or an error. One that stands in a suite itself (a set-up that failed) is a case of
// the suite's name.
func (j *junit) startFailure(x *xmlReader) {
	if j.c == nil {
		if len(j.suites) == 0 {
			return
		}
		j.inSuite = true
		j.c = &tests.Case{Suite: j.suite().name, Name: j.suite().name, File: j.suite().file}
	}
	status := tests.Failed
	if x.name == "error" {
		status = tests.Error
	}
	if !j.c.Status.Bad() || status.Worse(j.c.Status) {
		j.c.Status = status
	}
	if j.c.Message == "" {
		j.c.Message = strings.TrimSpace(x.attribute("message", tests.MaxMessage))
	}
	if j.kind == "" {
		j.kind = x.attribute("type", 200)
	}
	j.failed = true
	if j.details.Len() < tests.MaxDetails {
		x.capture(&j.text, tests.MaxDetails-j.details.Len())
	}
}

func (j *junit) end(x *xmlReader) error {
	switch x.name {
	case "testsuite":
		j.suites = j.suites[:len(j.suites)-1]
	case "testcase":
		return j.endCase()
	case "failure", "error", "warning":
		if j.failed && j.try == nil {
			return j.endFailure(x)
		}
	case "skipped", "ignored", "disabled":
		if j.c != nil && j.c.Message == "" && x.text != nil {
			j.c.Message = strings.TrimSpace(x.captured())
		}
		x.capture(nil, 0)
	case "stackTrace", "flakyFailure", "flakyError", "rerunFailure", "rerunError":
		j.endTry(x)
	case "system-out", "system-err":
		if j.try == nil && j.c != nil && x.text != nil {
			j.output.join(x.text)
			x.capture(nil, 0)
		}
	}
	return nil
}

// endTry ends surefire's rerun or its stack, whichever has the text.
func (j *junit) endTry(x *xmlReader) {
	if j.try == nil {
		return
	}
	if text := strings.TrimSpace(x.captured()); text != "" && j.try.Details == "" {
		j.try.Details = text
	}
	x.capture(nil, 0)
	if x.name == "stackTrace" {
		return
	}
	if j.try.Message == "" {
		j.try.Message = firstLine(j.try.Details)
	}
	j.c.AddTry(*j.try)
	j.try = nil
}

func (j *junit) endFailure(x *xmlReader) error {
	text := strings.Trim(x.captured(), "\r\n")
	x.capture(nil, 0)
	j.failed = false
	if text != "" && j.details.Len() > 0 {
		j.details.WriteString("\n\n")
	}
	j.details.WriteString(text)
	if j.inSuite {
		j.inSuite = false
		return j.endCase()
	}
	return nil
}

func (j *junit) endCase() error {
	c, todo, kind := j.c, j.todo, j.kind
	j.c, j.try, j.failed, j.todo, j.kind = nil, nil, false, false, ""
	if c == nil {
		return nil
	}
	switch {
	case todo:
		c.Status = tests.Skipped
	case strings.HasPrefix(c.Message, "Unable to find executable"): // ctest calls it skipped, and fails
		c.Status = tests.Error
	}
	c.Details = j.details.String()
	j.details.Reset()
	if c.Status.Bad() || c.Status == tests.Skipped {
		c.Output = j.output.decoded()
	}
	j.output.reset(tests.MaxDetails)
	c.Build = c.Status.Bad() && broken(c)
	if c.Status.Bad() {
		c.Message = failureMessage(c, kind)
	}
	return j.in.emit(c)
}

// failureMessage is what says most in one line: the message, unless it is gotestsum's constant; the first line of the
// details that is not phpunit's name of the test; the exception; what the test printed.
func failureMessage(c *tests.Case, kind string) string {
	switch {
	case c.Message == "Failed" && c.Details != "":
		if text := goMessage(c.Details); text != "" {
			return text
		}
		return c.Message
	case c.Message != "":
		return c.Message
	}
	first, rest, _ := strings.Cut(c.Details, "\n")
	if strings.HasPrefix(first, c.Class+"::"+c.Name) && rest != "" {
		return firstLine(rest)
	}
	return cmp.Or(firstLine(c.Details), kind, firstLine(c.Output))
}

// broken tells whether a case stands for code that did not build or load, by what the tools write then.
func broken(c *tests.Case) bool {
	switch {
	case c.Message == "collection failure": // pytest; its suite is the same for all modules
		c.Suite, c.Class = c.Name, c.Name
	case c.Class == "Test suite failed to run", strings.HasPrefix(c.Name, "Test suite failed to run"): // jest-junit
	case strings.HasPrefix(c.Details, "FAIL\t") && strings.Contains(c.Details, "[build failed]"), c.Name == "[build failed]": // gotestsum, go-junit-report
	default:
		return false
	}
	return true
}
