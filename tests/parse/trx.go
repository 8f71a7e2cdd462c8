package parse

import (
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/tests"
)

// trx reads Visual Studio's test results (namespace http://microsoft.com/schemas/VisualStudio/TeamTest/2010). Results
// come first and name a test by its id; the definitions with the classes follow. A result therefore waits for its
// definition, without its output, until the file ends or too many wait.
type trx struct {
	in      *input
	waiting []*waitingResult
	byID    map[string][]*waitingResult
	open    []*waitingResult // results nest: data-driven tests hold their rows
	text    bounded
	test    string // the id of the definition that is open
	size    int    // bytes that wait
}

// maxWaiting bounds what results that wait for their definition take, in bytes. Beyond, their class is cut out of
// their name.
const maxWaiting = 24 << 20

// maxRows is how deep results that hold results keep their texts.
const maxRows = 8

type waitingResult struct {
	c     tests.Case
	id    string
	inner int // results within
}

func parseTRX(in *input) error {
	t := &trx{in: in, byID: map[string][]*waitingResult{}}
	err := walk(in, t)
	if flushed := t.flush(); err == nil {
		err = flushed
	}
	return err
}

func (t *trx) start(x *xmlReader) error {
	switch x.name {
	case "UnitTestResult", "TestResult", "GenericTestResult", "WebTestResult", "ManualTestResult":
		t.startResult(x)
	case "Message", "StackTrace", "StdOut", "StdErr":
		x.capture(&t.text, tests.MaxDetails)
	case "UnitTest":
		t.test = x.attribute("id", 64)
	case "TestMethod":
		t.define(x.attribute("className", tests.MaxName), x.attribute("name", tests.MaxName))
	}
	return nil
}

func (t *trx) startResult(x *xmlReader) {
	r := &waitingResult{id: x.attribute("testId", 64)}
	r.c.Name = x.attribute("testName", tests.MaxName)
	r.c.Status = trxStatus(x.attribute("outcome", 32))
	r.c.Duration = clock(x.attribute("duration", 40))
	if len(t.open) > 0 {
		t.open[len(t.open)-1].inner++
	}
	t.open = append(t.open, r)
}

func trxStatus(word string) tests.Status {
	switch strings.ToLower(word) {
	case "passed", "passedbutrunaborted", "warning", "completed", "": // without an outcome it passed
		return tests.Succeeded
	case "failed":
		return tests.Failed
	case "error", "aborted", "timeout", "disconnected":
		return tests.Error
	case "notexecuted", "notrunnable", "inconclusive", "pending":
		return tests.Skipped
	}
	return tests.Unknown
}

// clock reads a TimeSpan, "[d.]hh:mm:ss[.fffffff]".
func clock(text string) time.Duration {
	days := 0.0
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return 0
	}
	if d, hours, ok := strings.Cut(parts[0], "."); ok {
		days, _ = strconv.ParseFloat(d, 64)
		parts[0] = hours
	}
	var sum float64
	for _, p := range parts {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return 0
		}
		sum = sum*60 + f
	}
	return span((days*86400 + sum) * float64(time.Second))
}

func (t *trx) end(x *xmlReader) error {
	switch x.name {
	case "UnitTestResult", "TestResult", "GenericTestResult", "WebTestResult", "ManualTestResult":
		return t.endResult()
	case "UnitTest":
		t.test = ""
	case "Message", "StackTrace", "StdOut", "StdErr":
		if len(t.open) > 0 && len(t.open) <= maxRows {
			t.put(&t.open[len(t.open)-1].c, x.name, strings.TrimSpace(x.captured()))
		}
		x.capture(nil, 0)
	}
	return nil
}

func (t *trx) put(c *tests.Case, what, text string) {
	switch what {
	case "Message":
		c.Message = tests.Cut(text, tests.MaxMessage)
	case "StackTrace":
		c.Details = text
	default:
		if len(c.Output) < tests.MaxDetails {
			c.Output = tests.Cut(strings.TrimLeft(c.Output+"\n"+text, "\n"), tests.MaxDetails)
		}
	}
}

// endResult lets a result wait. One that only holds rows is not a test of its own, unless it failed and no row can
// say so.
func (t *trx) endResult() error {
	r := t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	if r.inner > 0 {
		return nil
	}
	if r.c.Status == tests.Succeeded {
		r.c.Output = ""
	}
	t.waiting = append(t.waiting, r)
	if r.id != "" {
		t.byID[r.id] = append(t.byID[r.id], r)
	}
	t.size += 300 + len(r.c.Name) + len(r.c.Message) + len(r.c.Details) + len(r.c.Output)
	if t.size > maxWaiting {
		return t.flush()
	}
	return nil
}

// define gives the results of a test its class. Names that begin with the class are freed of it.
func (t *trx) define(class, method string) {
	class, _, _ = strings.Cut(class, ",") // an assembly-qualified name
	for _, r := range t.byID[t.test] {
		r.c.Class = class
		r.c.Suite = class
		if r.c.Name == "" {
			r.c.Name = method
		}
	}
}

func (t *trx) flush() error {
	for _, r := range t.waiting {
		if class, method := splitMethod(r.c.Name); r.c.Class == "" {
			r.c.Class, r.c.Suite, r.c.Name = class, class, method
		} else if r.c.Class == class {
			r.c.Name = method
		}
		if err := t.in.emit(&r.c); err != nil {
			return err
		}
	}
	t.waiting, t.size = nil, 0
	clear(t.byID)
	return nil
}
