package parse

import (
	"errors"
	"strings"
	"time"

	"github.com/runner-ci/runner/tests"
)

// cucumberElement is a scenario, or the background whose steps belong to the scenario behind it.
type cucumberElement struct {
	ID, Keyword, Type, Name string
	Line                    int
	Before, Steps, After    []cucumberStep
}

type cucumberStep struct {
	Keyword, Name string
	Before, After []cucumberStep // cucumber-jvm's hooks of steps
	Result        struct {
		Status       string
		Duration     float64 // nanoseconds
		ErrorMessage string  `json:"error_message"`
	}
}

// cucumber reads the legacy JSON that all of cucumber's implementations write
// (https://github.com/cucumber/cucumber-json-formatter): features with elements with steps.
type cucumber struct {
	in         *input
	v          *values
	uri, name  string
	background []cucumberStep
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
	c.uri, c.name, c.background, c.early = "", "", nil, nil
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
		c.background = append(e.Before, e.Steps...)
		return nil
	}
	t := &tests.Case{Suite: c.name, Class: c.name, Name: e.Name, File: c.uri, Line: e.Line, Status: tests.Unknown}
	if t.Name == "" {
		t.Name = e.ID
	}
	for _, steps := range [][]cucumberStep{e.Before, c.background, e.Steps, e.After} {
		addSteps(t, steps)
	}
	c.background = nil
	return c.in.emit(t)
}

// addSteps lets the worst step decide; the first of the worst explains.
func addSteps(t *tests.Case, steps []cucumberStep) {
	for _, s := range steps {
		addSteps(t, s.Before)
		t.Duration += span(s.Result.Duration * float64(time.Nanosecond))
		status := cucumberStatus(s.Result.Status)
		if cucumberWeight[status] > cucumberWeight[t.Status] {
			t.Status = status
			if status != tests.Succeeded {
				t.Message = strings.TrimSpace(s.Keyword+s.Name) + ": " + s.Result.Status
				t.Details = s.Result.ErrorMessage
			}
		}
		addSteps(t, s.After)
	}
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
