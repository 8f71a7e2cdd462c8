package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestARehearsalThatHangsEnds has a script in the binary's place, a child of which hangs with its output in hand.
func TestARehearsalThatHangsEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, pids := filepath.Join(dir, "runner"), filepath.Join(dir, "pids")
	text := "#!/bin/sh\nsleep 300 &\necho $! >" + pids + ".new; mv " + pids + ".new " + pids + "\nwait\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- rehearse(ctx, script, nil) }()
	var child string
	for child == "" {
		raw, _ := os.ReadFile(pids)
		child = strings.TrimSpace(string(raw))
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-over; err == nil {
		t.Error("it may take over")
	}
	pid, err := strconv.Atoi(child)
	if err != nil {
		t.Fatal(err)
	}
	for gone := false; !gone; time.Sleep(time.Millisecond) { // killed, it is init's to notice
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		gone = err != nil || strings.Contains(string(stat), ") Z ")
	}
}

func TestARehearsalKnowsNewerFormats(t *testing.T) {
	for asked, want := range map[string]string{
		formats():   "",
		"state=1":   "",
		"state=99":  "state has format 99",
		"other=1":   "other has format 1",
		"tests=two": "tests has format two",
	} {
		t.Setenv(envRehearsal, asked)
		is, err := Rehearsal()
		if !is || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("asked for %s: %v %v, want %q", asked, is, err, want)
		}
	}
	t.Setenv(envRehearsal, "")
	if is, _ := Rehearsal(); is {
		t.Error("a daemon that is not asked rehearses")
	}
}
