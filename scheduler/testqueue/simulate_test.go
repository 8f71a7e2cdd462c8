package testqueue

import (
	"fmt"
	"testing"
	"time"
)

func suiteOf(n int, took time.Duration) (items []Item, known History) {
	known = make(History)
	for i := range n {
		it := Item{Name: fmt.Sprintf("t%03d", i), Took: took, Known: true}
		items, known[it.Name] = append(items, it), took
	}
	return items, known
}

func TestASuitePlayedAgain(t *testing.T) {
	even, known := suiteOf(40, time.Second)
	late := make([]time.Duration, 4)
	late[3] = 5 * time.Second
	for name, c := range map[string]struct {
		s           Simulation
		least, most time.Duration
	}{
		"one worker does all":            {Simulation{Real: even, Known: known, Ready: late[:1]}, 40 * time.Second, 40 * time.Second},
		"four share":                     {Simulation{Real: even, Known: known, Ready: make([]time.Duration, 4)}, 10 * time.Second, 11 * time.Second},
		"four share, by a split":         {Simulation{Real: even, Known: known, Ready: make([]time.Duration, 4), Fixed: true}, 10 * time.Second, 10 * time.Second},
		"nothing known":                  {Simulation{Real: even, Ready: make([]time.Duration, 4)}, 10 * time.Second, 13 * time.Second},
		"who comes late gets less":       {Simulation{Real: even, Known: known, Ready: late}, 11250 * time.Millisecond, 12500 * time.Millisecond},
		"a split knows nothing of that":  {Simulation{Real: even, Known: known, Ready: late, Fixed: true}, 15 * time.Second, 15 * time.Second},
		"each batch costs":               {Simulation{Real: even, Known: known, Ready: late[:1], Startup: time.Second}, 41 * time.Second, 60 * time.Second},
		"more workers than tests":        {Simulation{Real: even[:2], Known: known, Ready: make([]time.Duration, 9)}, time.Second, time.Second},
		"a test that took no time":       {Simulation{Real: []Item{{Name: "a"}}, Ready: late[:1]}, 0, 0},
		"the work outlasts who is early": {Simulation{Real: even, Known: known, Ready: late[2:]}, 22500 * time.Millisecond, 24 * time.Second},
	} {
		end, err := c.s.Ends()
		if err != nil || end < c.least || end > c.most {
			t.Errorf("%s: the last test ends after %s (%v), want from %s to %s", name, end, err, c.least, c.most)
		}
	}
	if _, err := (Simulation{Real: even}).Ends(); err == nil {
		t.Error("a simulation without workers came to an end")
	}
}

// TestWhatRan: batches, times and arrivals are read from a queue's events alone.
func TestWhatRan(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	after := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	q, err := Open(Options{Workers: 2, History: History{"a": 3 * time.Second, "b": time.Second}}, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"x", "y"} {
		if err := q.Join(id, i, []string{"a", "b"}, after(i)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := q.Take("x", 0, after(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Take("y", 0, after(3)); err != nil {
		t.Fatal(err)
	}
	done := Completion{Outcome: Passed, Took: 5 * time.Second, Results: []Result{{Item: "a", Outcome: Passed, Took: 4 * time.Second}}}
	if _, err := q.Complete("x", first.Batch.Token, done, after(7)); err != nil {
		t.Fatal(err)
	}
	q, err = Open(Options{}, after(9), q.Events(0)...)
	if err != nil {
		t.Fatal(err)
	}
	ran := q.Ran()
	if len(ran) != 2 || ran[0].Worker != "x" || !ran[0].Began.Equal(after(2)) || !ran[0].Ended.Equal(after(7)) || ran[0].Items[0] != "a" ||
		ran[1].Shard != 1 || !ran[1].Ended.IsZero() {
		t.Errorf("the batches are %+v", ran)
	}
	real, known := q.Times()
	if len(real) != 1 || real[0].Name != "a" || real[0].Took != 4*time.Second || !real[0].Known || len(known) != 2 || known["a"] != 3*time.Second {
		t.Errorf("the times are %+v, and %v was known", real, known)
	}
	if at := q.Joined(); !at["x"].Equal(now) || !at["y"].Equal(after(1)) {
		t.Errorf("they came at %v", at)
	}
	if q.Startup() != time.Second {
		t.Errorf("a batch took %s to start, want the second that its test does not account for", q.Startup())
	}
}
