package compare

import (
	"fmt"

	"github.com/runner-ci/runner/client"
)

// TestChange is a test that did otherwise.
type TestChange struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Green        string  `json:"green,omitempty"` // its status; empty where it was not
	Red          string  `json:"red,omitempty"`
	GreenSeconds float64 `json:"greenSeconds,omitempty"`
	RedSeconds   float64 `json:"redSeconds,omitempty"`
	File         string  `json:"file,omitempty"`
	Line         int     `json:"line,omitempty"`
	Message      string  `json:"message,omitempty"`
	Flaky        bool    `json:"flaky,omitempty"` // in red
	Quarantined  bool    `json:"quarantined,omitempty"`
}

// TestChanges are tests that did otherwise in one way: how many, and the first MaxTests of them.
type TestChanges struct {
	Count int          `json:"count"`
	First []TestChange `json:"first,omitempty"`
}

// MaxTests bounds the tests that are told of one kind of change.
const MaxTests = 1000

func (c *TestChanges) add(t TestChange) {
	if c.Count++; len(c.First) < MaxTests {
		c.First = append(c.First, t)
	}
}

// Tests tells how the tests of two builds differ.
type Tests struct {
	Failing TestChanges `json:"failing"` // in red, and not in green
	Passing TestChanges `json:"passing"` // in red, and failing in green
	New     TestChanges `json:"new"`     // in red alone, and not failing
	Gone    TestChanges `json:"gone"`    // in green alone
	Skipped TestChanges `json:"skipped"` // in red, and not in green
	Slower  TestChanges `json:"slower"`  // by much: see muchSlower
	Still   int         `json:"still"`   // fail in both
	Same    int         `json:"same"`    // ended alike, in both
}

// Otherwise tells whether any test did otherwise.
func (t *Tests) Otherwise() bool {
	return t.Failing.Count+t.Passing.Count+t.New.Count+t.Gone.Count+t.Skipped.Count+t.Slower.Count > 0
}

// CompareTests goes through the tests of two builds side by side. Each function gives the next test by id, and false behind
// the last.
func CompareTests(green, red func() (client.TestCase, bool, error)) (t Tests, err error) {
	g, r := side{next: green}, side{next: red}
	if err := g.advance(); err != nil {
		return t, err
	}
	if err := r.advance(); err != nil {
		return t, err
	}
	for g.more || r.more {
		switch {
		case !r.more || g.more && g.at.ID < r.at.ID:
			t.Gone.add(change(&g.at, nil))
			err = g.advance()
		case !g.more || r.at.ID < g.at.ID:
			t.isNew(&r.at)
			err = r.advance()
		default:
			t.both(&g.at, &r.at)
			if err = g.advance(); err == nil {
				err = r.advance()
			}
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// side is one build's tests, by id.
type side struct {
	next func() (client.TestCase, bool, error)
	at   client.TestCase
	more bool
}

func (s *side) advance() error {
	before, had := s.at.ID, s.more
	var err error
	if s.at, s.more, err = s.next(); err != nil {
		return err
	}
	if had && s.more && s.at.ID <= before {
		return fmt.Errorf("the daemon lists test %q behind %q: expected them by id", s.at.ID, before)
	}
	return nil
}

func (t *Tests) isNew(r *client.TestCase) {
	if bad(r) {
		t.Failing.add(change(nil, r))
	} else {
		t.New.add(change(nil, r))
	}
}

func (t *Tests) both(g, r *client.TestCase) {
	switch {
	case bad(r) && bad(g):
		t.Still++
	case bad(r):
		t.Failing.add(change(g, r))
	case bad(g) && r.Status == succeeded:
		t.Passing.add(change(g, r))
	case r.Status == skipped && g.Status != skipped:
		t.Skipped.add(change(g, r))
	case muchSlower(g, r):
		t.Slower.add(change(g, r))
	default:
		t.Same++
	}
}

// Statuses of tests.
const (
	succeeded = "SUCCEEDED"
	skipped   = "SKIPPED"
)

func bad(c *client.TestCase) bool { return c.Status == "FAILED" || c.Status == "ERROR" }

// muchSlower tells of a test that took twice as long, and at least a second longer: less than that is noise.
func muchSlower(g, r *client.TestCase) bool {
	return g.Status == succeeded && r.Status == succeeded && r.Seconds >= 2*g.Seconds && r.Seconds-g.Seconds >= 1
}

func change(g, r *client.TestCase) TestChange {
	var t TestChange
	if g != nil {
		t.ID, t.Name, t.Green, t.GreenSeconds, t.File, t.Line = g.ID, g.Name, g.Status, g.Seconds, g.File, g.Line
	}
	if r != nil {
		t.ID, t.Name, t.Red, t.RedSeconds, t.File, t.Line = r.ID, r.Name, r.Status, r.Seconds, r.File, r.Line
		t.Message, t.Flaky, t.Quarantined = r.Message, r.Flaky, r.Quarantine != nil
	}
	return t
}
