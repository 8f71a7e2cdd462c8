package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-ci/runner/scheduler"
)

// refusing is a state that cannot store a trigger.
type refusing struct {
	*memory
	with error
}

func (r *refusing) Accept(context.Context, scheduler.Trigger) (scheduler.Trigger, bool, error) {
	return scheduler.Trigger{}, false, fmt.Errorf("storing the trigger: %w", r.with)
}

// TestAFullDiskAsksForTheDeliveryAgain: a forge that gets 500 takes it for a mistake of ours.
func TestAFullDiskAsksForTheDeliveryAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with  error
		full  bool
		reply int
	}{
		"no space":               {&fs.PathError{Op: "write", Path: "state.db", Err: syscall.ENOSPC}, true, http.StatusServiceUnavailable},
		"no quota":               {&fs.PathError{Op: "write", Path: "state.db", Err: syscall.EDQUOT}, true, http.StatusServiceUnavailable},
		"as the database has it": {errors.New("file resize error: truncate state.db: no space left on device"), true, http.StatusServiceUnavailable},
		"something else":         {&fs.PathError{Op: "write", Path: "state.db", Err: syscall.EIO}, false, http.StatusInternalServerError},
	} {
		d := newFuzzDaemon()
		d.handler.Scheduler = &refusing{d.handler.Scheduler.(*memory), c.with}
		body := hookBody(t, "push")
		w := d.serve(http.MethodPost, "/hooks/github", delivery("push", "d-1", "one", body), body)
		if w.Code != c.reply || (w.Header().Get("Retry-After") == "30") != c.full || strings.Contains(w.Body.String(), "disk is full") != c.full {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}
