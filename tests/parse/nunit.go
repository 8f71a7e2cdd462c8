package parse

import (
	"strings"
	"time"

	"github.com/runner-ci/runner/tests"
)

// nunit reads test-results of NUnit 2 (https://nunit.org/docs/2.6.4/files/Results.xsd) and test-run of NUnit 3
// (https://docs.nunit.org/articles/nunit/technical-notes/usage/Test-Result-XML-Format.html). Both nest suites; the one
// around a case that is a class or a fixture gives its class.
type nunit struct {
	in     *input
	three  bool
	suites []nunitSuite
	c      *tests.Case
	text   bounded
}

// nunitSuite is an open suite: its name, and whether a failure of its own was told.
type nunitSuite struct {
	name, class, kind string
	status            tests.Status
	cases             int
	message, stack    string
}

func parseNUnit2(in *input) error { return walk(in, &nunit{in: in}) }
func parseNUnit3(in *input) error { return walk(in, &nunit{in: in, three: true}) }

func (n *nunit) start(x *xmlReader) error {
	switch x.name {
	case "test-suite":
		s := nunitSuite{name: x.attribute("name", tests.MaxName), class: x.attribute("classname", tests.MaxName), kind: x.attribute("type", 64)}
		s.status = n.status(x)
		n.suites = append(n.suites, s)
	case "test-case":
		if n.c != nil {
			return errNested
		}
		for i := range n.suites {
			n.suites[i].cases++
		}
		n.c = n.newCase(x)
	case "message", "stack-trace", "output", "reason", "failure":
		x.capture(&n.text, tests.MaxDetails)
	}
	return nil
}

// newCase is the case of the element that just started. NUnit 2 gives the whole name, NUnit 3 the parts.
func (n *nunit) newCase(x *xmlReader) *tests.Case {
	c := &tests.Case{
		Name: x.attribute("name", tests.MaxName), Class: x.attribute("classname", tests.MaxName),
		Status: n.status(x), Duration: seconds(x.attribute("duration", 32)),
	}
	if !n.three {
		c.Duration = seconds(x.attribute("time", 32))
	}
	if len(n.suites) > 0 {
		c.Suite = n.suites[len(n.suites)-1].name
	}
	if full := x.attribute("fullname", tests.MaxName); c.Class == "" && full != "" {
		c.Class = strings.TrimSuffix(strings.TrimSuffix(full, c.Name), ".")
	}
	if c.Class == "" {
		c.Class, c.Name = splitMethod(c.Name)
	}
	return c
}

// splitMethod cuts "Space.Class.Method(1.5)" before its method, minding that arguments have dots.
func splitMethod(full string) (class, method string) {
	head := full
	if i := strings.IndexByte(head, '('); i >= 0 {
		head = head[:i]
	}
	if i := strings.LastIndexByte(head, '.'); i > 0 && i+1 < len(full) {
		return full[:i], full[i+1:]
	}
	return "", full
}

// status reads result (both), executed and success (NUnit 2), label (NUnit 3).
func (n *nunit) status(x *xmlReader) tests.Status {
	switch strings.ToLower(x.attribute("result", 32)) {
	case "passed", "success":
		return tests.Succeeded
	case "warning":
		return tests.Succeeded
	case "failed", "failure":
		switch strings.ToLower(x.attribute("label", 32)) {
		case "error", "invalid", "cancelled":
			return tests.Error
		}
		return tests.Failed
	case "error", "notrunnable", "cancelled":
		return tests.Error
	case "skipped", "ignored", "inconclusive":
		return tests.Skipped
	}
	switch {
	case strings.EqualFold(x.attribute("executed", 8), "false"):
		return tests.Skipped
	case strings.EqualFold(x.attribute("success", 8), "true"):
		return tests.Succeeded
	case strings.EqualFold(x.attribute("success", 8), "false"):
		return tests.Failed
	}
	return tests.Unknown
}

func (n *nunit) end(x *xmlReader) error {
	switch x.name {
	case "message", "stack-trace", "output":
		n.put(x.name, strings.TrimSpace(x.captured()))
		x.capture(nil, 0)
	case "test-case":
		c := n.c
		n.c = nil
		return n.in.emit(c)
	case "test-suite":
		return n.endSuite()
	}
	return nil
}

// put keeps a text of the open case, else of the open suite.
func (n *nunit) put(what, text string) {
	if c := n.c; c != nil {
		switch what {
		case "message":
			c.Message = text
		case "stack-trace":
			c.Details = text
		default:
			c.Output = text
		}
		return
	}
	if len(n.suites) == 0 {
		return
	}
	s := &n.suites[len(n.suites)-1]
	switch what {
	case "message":
		s.message = tests.Cut(text, tests.MaxMessage)
	case "stack-trace":
		s.stack = tests.Cut(text, tests.MaxMessage)
	}
}

// endSuite makes a case of a suite that failed without having any: its set-up did, or it did not load.
func (n *nunit) endSuite() error {
	s := n.suites[len(n.suites)-1]
	n.suites = n.suites[:len(n.suites)-1]
	if !s.status.Bad() || s.cases > 0 {
		return nil
	}
	for i := range n.suites {
		n.suites[i].cases++
	}
	return n.in.emit(&tests.Case{
		Suite: s.name, Class: s.class, Name: s.name, Status: tests.Error,
		Message: s.message, Details: s.stack, Build: s.kind == "Assembly",
	})
}

// milliseconds reads a time in milliseconds.
func milliseconds(text string) time.Duration { return seconds(text) / 1000 }
