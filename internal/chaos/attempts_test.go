package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestTheJudgeLooksAtEachAttempt: a job may succeed after a fault, which has to be one that something was done for.
func TestTheJudgeLooksAtEachAttempt(t *testing.T) {
	fault := client.Attempt{Number: 1, Status: "FAULT", Reason: "sandbox_lost", Message: "it vanished"}
	failed := client.Attempt{Number: 1, Status: "FAILED", Reason: "command_failed", Message: "it failed"}
	for _, c := range []struct {
		name   string
		before client.Attempt
		box    bool // its container was killed
		stray  bool // so was one of which nobody was heard
		once   bool // its commands may begin once
		heard  int
		want   verdict
	}{
		{name: "a container", before: fault, box: true, heard: 2},
		{name: "a container before its job began", before: fault, stray: true, heard: 1},
		{name: "a daemon's death makes no fault", before: fault, heard: 2, want: verdict{lost: 1}},
		{name: "without a message", before: client.Attempt{Number: 1, Status: "FAULT", Reason: "sandbox_lost"}, box: true, heard: 2, want: verdict{lost: 1}},
		{name: "what failed is not tried again", before: failed, box: true, heard: 2, want: verdict{lost: 1}},
		{name: "more often than there were attempts", before: fault, box: true, heard: 3, want: verdict{doubled: 1}},
		{name: "before its commands", before: fault, box: true, once: true, heard: 1},
		{name: "after its commands, against the project's word", before: fault, box: true, once: true, heard: 2, want: verdict{doubled: 1}},
	} {
		w := &world{options: options{out: new(bytes.Buffer)}, began: time.Now(), witness: &witness{heard: make(map[string][]testimony)}}
		w.judge = newJudge(w)
		for range c.heard {
			w.witness.heard["k#1"] = append(w.witness.heard["k#1"], testimony{"t", "box"})
		}
		if c.box {
			w.judge.killed([]string{"box"}, true)
		}
		if c.stray {
			w.judge.killed([]string{"another"}, false)
		}
		r := &request{kind: &kind{name: "k", status: "SUCCEEDED", attempts: 1, once: c.once}, build: "k#1", at: time.Now()}
		job := client.Job{ID: "build", Status: "SUCCEEDED", Attempt: 2, Attempts: []client.Attempt{c.before, {Number: 2, Status: "SUCCEEDED"}}}
		w.judge.tried(r, job, w.judge.excuse(r))
		w.judge.witnessed(r, client.Build{ID: "k#1", Status: "SUCCEEDED", Jobs: []client.Job{job}})
		if got := w.judge.verdict(); got != c.want {
			t.Errorf("%s: judged %+v, want %+v: %s", c.name, got, c.want, w.options.out)
		}
	}
}

// TestTheJudgeKnowsTheLineAboutAFault: the log of the attempt that follows begins with it, and no other has it.
func TestTheJudgeKnowsTheLineAboutAFault(t *testing.T) {
	const own = "[Container] 2026/01/02 03:04:05.678901 Running command sh work.sh\n"
	const line = "[Container] 2026/01/02 03:04:04.678901 Attempt 2: attempt 1 ended by the machine's fault (sandbox_lost): it vanished\n"
	const said = "token 01234567-89ab-cdef-0123-456789abcdef\npepper\n"
	plain := client.Job{Attempt: 1}
	again := client.Job{Attempt: 2, Attempts: []client.Attempt{{Number: 1, Status: "FAULT", Reason: "sandbox_lost", Message: "it vanished\nand more"}, {Number: 2, Status: "SUCCEEDED"}}}
	for _, c := range []struct {
		job client.Job
		log string
		bad bool
	}{
		{plain, own + said, false}, {again, line + own + said, false},
		{plain, line + own + said, true}, {again, own + said, true}, {again, line + line + own + said, true},
	} {
		w := &world{options: options{out: new(bytes.Buffer)}, began: time.Now()}
		j := newJudge(w)
		r := &request{kind: &kind{name: "one", output: func(_ *kind, salt string) string { return salt + "\n" }}, salt: "pepper", build: "one#1"}
		j.output(r, plain, own+said, excuse{}) // other builds
		if j.output(r, c.job, c.log, excuse{}); j.verdict().bad() != c.bad {
			t.Errorf("%q in attempt %d: %+v, bad is to be %t: %s", c.log, c.job.Attempt, j.verdict(), c.bad, w.options.out)
		}
	}
}

// TestAFullDiskExcusesAnUpload: what a job left cannot be collected on a disk that is full, and its log says so. A full disk excuses
// nothing of what came before, and nothing else excuses that.
func TestAFullDiskExcusesAnUpload(t *testing.T) {
	const ran, up = "ran\n", "Phase complete: UPLOAD_ARTIFACTS State: "
	full := excuse{what: []string{diskFull}}
	for _, c := range []struct {
		own    string
		excuse excuse
		want   bool
	}{
		{ran + up + "FAILED\nno space left on device\n", full, true},
		{ran + up + "FAILED\nno space left on device\n", excuse{}, false},
		{ran + up + "FAILED\nno space left on device\n", excuse{killed: true}, false},
		{"walked\n" + up + "FAILED\nno space left on device\n", full, false},
		{ran + up + "SUCCEEDED\nand more\n", full, true},
		{ran + up + "SUCCEEDED\nand more\n", excuse{}, false},
	} {
		if got := excused(c.own, ran+up+"SUCCEEDED\n", c.excuse); got != c.want {
			t.Errorf("%q with %s: %t", c.own, c.excuse, got)
		}
	}
}
