package parse

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/runner-ci/runner/tests"
)

// cucumberElement is a scenario, or the background whose steps belong to the scenario behind it.
type cucumberElement struct {
	ID, Keyword, Type, Name string
	Line                    int
	Before, Steps, After    summedUp[cucumberStep]
}

type cucumberStep struct {
	cucumberHook
	Before, After summedUp[cucumberHook] // cucumber-jvm's hooks of steps
}

type cucumberHook struct {
	Keyword, Name string
	Result        struct {
		Status       string
		Duration     float64 // nanoseconds
		ErrorMessage string  `json:"error_message"`
	}
}

func (h cucumberHook) sum() cucumberSum {
	s := cucumberSum{status: cucumberStatus(h.Result.Status), took: span(h.Result.Duration * float64(time.Nanosecond))}
	if s.status != tests.Succeeded {
		s.message, s.details = strings.TrimSpace(h.Keyword+h.Name)+": "+h.Result.Status, h.Result.ErrorMessage
	}
	return s
}

func (s cucumberStep) sum() cucumberSum {
	sum := s.Before.cucumberSum
	sum.add(s.cucumberHook.sum())
	sum.add(s.After.cucumberSum)
	return sum
}

// cucumberSum is what some steps come to: the worst one decides, and the first of the worst explains.
type cucumberSum struct {
	status           tests.Status
	took             time.Duration
	message, details string
}

// add adds steps that come behind.
func (s *cucumberSum) add(next cucumberSum) {
	s.took += next.took
	if cucumberWeight[next.status] > cucumberWeight[s.status] {
		s.status, s.message, s.details = next.status, next.message, next.details
	}
}

// summedUp is a list of steps that is summed up while it is read: a scenario may have millions, each of two letters.
type summedUp[T interface{ sum() cucumberSum }] struct{ cucumberSum }

func (s *summedUp[T]) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	v := newValues(bytes.NewReader(text))
	return v.list(func() error {
		var step T
		err := v.decode(&step)
		s.add(step.sum())
		return err
	})
}

// cucumber reads the legacy JSON that all of cucumber's implementations write
// (https://github.com/cucumber/cucumber-json-formatter): features with elements with steps.
type cucumber struct {
	in         *input
	v          *values
	uri, name  string
	background cucumberSum
	early      []cucumberElement // elements that came before the feature's name
	earlySize  int64             // bytes of the file that they took
}

// maxEarly bounds the elements that may precede their feature's name, in bytes of the file. Further ones go without.
const maxEarly = 4 << 20

func parseCucumber(in *input) error {
	c := &cucumber{in: in, v: newValues(in)}
	return c.v.list(c.feature)
}

// feature reads one feature. Most write uri and name before the elements; where they come behind, elements wait.
func (c *cucumber) feature() error {
	c.uri, c.name, c.background, c.early = "", "", cucumberSum{}, nil
	err := c.v.object(func(key string) error {
		switch key {
		case "uri":
			return c.v.decode(&c.uri)
		case "name":
			return c.v.decode(&c.name)
		case "elements":
			return c.v.list(c.element)
		}
		return c.v.skip()
	})
	return errors.Join(c.flush(), err)
}

func (c *cucumber) flush() error {
	for i := range c.early {
		if err := c.scenario(&c.early[i]); err != nil {
			return err
		}
	}
	c.early, c.earlySize = nil, 0
	return nil
}

func (c *cucumber) element() error {
	var e cucumberElement
	before := c.v.InputOffset()
	if err := c.v.decode(&e); err != nil {
		return err
	}
	if (c.uri == "" || c.name == "") && c.earlySize < maxEarly {
		c.earlySize += c.v.InputOffset() - before
		c.early = append(c.early, e)
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.scenario(&e)
}

func (c *cucumber) scenario(e *cucumberElement) error {
	if e.Type == "background" || e.Type == "" && e.Keyword == "Background" {
		c.background = e.Before.cucumberSum
		c.background.add(e.Steps.cucumberSum)
		return nil
	}
	t := &tests.Case{Suite: c.name, Class: c.name, Name: e.Name, File: c.uri, Line: e.Line, Status: tests.Unknown}
	if t.Name == "" {
		t.Name = e.ID
	}
	sum := e.Before.cucumberSum
	for _, next := range []cucumberSum{c.background, e.Steps.cucumberSum, e.After.cucumberSum} {
		sum.add(next)
	}
	t.Duration, t.Message, t.Details = sum.took, sum.message, sum.details
	if sum.status != "" {
		t.Status = sum.status
	}
	c.background = cucumberSum{}
	return c.in.emit(t)
}

// cucumberWeight orders what a step does to its scenario: one pending step makes it pending, though others passed.
var cucumberWeight = map[tests.Status]int{tests.Unknown: 0, tests.Succeeded: 1, tests.Skipped: 2, tests.Failed: 3, tests.Error: 4}

func cucumberStatus(word string) tests.Status {
	switch strings.ToLower(word) {
	case "passed":
		return tests.Succeeded
	case "failed":
		return tests.Failed
	case "undefined", "ambiguous":
		return tests.Error
	case "skipped", "pending":
		return tests.Skipped
	}
	return tests.Unknown
}
