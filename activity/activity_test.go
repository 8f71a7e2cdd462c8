package activity

import (
	"bytes"
	"errors"
	"runtime/pprof"
	"strings"
	"testing"
)

func TestATaskIsListedWhileItRuns(t *testing.T) {
	var r Registry
	failed := ""
	r.Failed = func(task string) { failed = task }
	r.Run("sweeper", "sweeps", func(task *Task) {
		task.Does("sweeping the yard")
		if got := r.States(); len(got) != 1 || got[0].Doing != "sweeping the yard" || got[0].Beats != 1 || got[0].Count != 1 || got[0].Since.IsZero() {
			t.Errorf("while it works: %+v", got)
		}
		task.Waits(errors.New("no broom"))
		task.Waits(nil)
		if got := r.States()[0]; got.Doing != "" || got.Error != "no broom" || got.At.IsZero() || failed != "sweeper" {
			t.Errorf("after an error: %+v, told of %q", got, failed)
		}
	})
	if got := r.States(); len(got) != 0 {
		t.Errorf("after its end: %+v", got)
	}
	r.Many("jobs", "runs", func(*Task) {})
	if got := r.States(); len(got) != 1 || got[0].Count != 0 || !got[0].Many {
		t.Errorf("one of many stays listed: %+v", got)
	}
}

func TestGoroutinesBearTheNameOfTheTaskThatStartedThem(t *testing.T) {
	var r Registry
	end := make(chan struct{})
	defer close(end)
	err := r.Mark("store", "commits", func() error {
		go func() { <-end }()
		return nil
	})
	var profile bytes.Buffer
	if err := errors.Join(err, pprof.Lookup("goroutine").WriteTo(&profile, 1)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(profile.String(), `"task":"store"`) {
		t.Errorf("no goroutine bears the label:\n%s", profile.String())
	}
}

func TestNothingIsKeptWithoutARegistry(t *testing.T) {
	var r *Registry
	ran := false
	r.Run("a", "b", func(task *Task) {
		task.Does("x")
		task.Waits(errors.New("y"))
		ran = true
	})
	if !ran || r.States() != nil || r.Mark("a", "b", func() error { return nil }) != nil {
		t.Error("a nil registry must run what it is given")
	}
}
