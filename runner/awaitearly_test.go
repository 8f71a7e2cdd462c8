package runner

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// TestAnAnswerWaitsForItsEarlyReports, which come by another way, but not for ever.
func TestAnAnswerWaitsForItsEarlyReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{runner: &Runner{Early: func(context.Context, string, int, []wire.ReportGroup, io.Reader) error { return nil }}}
		waited := func(told int) time.Duration {
			begun := time.Now()
			s.awaitEarly(t.Context(), told)
			return time.Since(begun)
		}
		if took := waited(0); took != 0 {
			t.Errorf("without early reports it waited %s", took)
		}
		go func() {
			time.Sleep(time.Second)
			s.earlyTold.Store(2)
		}()
		if took := waited(2); took < time.Second || took > time.Second+10*time.Millisecond {
			t.Errorf("it waited %s for what came after 1s", took)
		}
		if took := waited(3); took != earlyWait {
			t.Errorf("it waited %s for what never came", took)
		}
		if took := waited(3); took != 0 {
			t.Errorf("it waited %s once more for what never came", took)
		}
		if took := waited(4); took != earlyWait {
			t.Errorf("it waited %s for what came to be told since", took)
		}
		s.runner.Early = nil
		if took := waited(5); took != 0 {
			t.Errorf("a daemon that reads none waited %s", took)
		}
	})
}
