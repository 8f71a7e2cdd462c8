package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestTheSummaryOfABatchShowsWhatSomebodyLooksFor(t *testing.T) {
	var jobs []client.Job
	for i := range 200 {
		j := job(fmt.Sprintf("j%d", i), fmt.Sprintf("job-%03d", i), "ended", succeeded, 1)
		switch {
		case i == 150:
			j.Status, j.Exit, j.Message = failed, 2, "make: nothing works"
		case i == 160:
			j = job("j160", "job-160", "leased", inProgress, 1)
			j.Phase, j.Command = "BUILD", "make all"
		case i > 180:
			j = job(j.ID, j.Name, "blocked", inProgress, 0)
			j.Why = "waits for job-160"
		}
		jobs = append(jobs, j)
	}
	var out bytes.Buffer
	Summary(New(&out), build(inProgress, jobs...), nil)
	text := out.String()
	for _, want := range []string{"job-150", "make: nothing works", "job-160", "make all", "job-057", "… and 121 SUCCEEDED, 19 blocked"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "job-058") || strings.Contains(text, "job-199") {
		t.Errorf("jobs that say nothing are listed:\n%s", text)
	}
}

func TestJobsThatWereNotStartedAreNoCause(t *testing.T) {
	broken := job("b", "deploy", "ended", failed, 0)
	broken.Reason, broken.Message = "dependency_failed", "not started: it depends on test, which did not succeed"
	cause := job("a", "test", "ended", failed, 1)
	b := build(failed, cause, broken)
	b.Message = "test: go test exited with status 1"
	var out bytes.Buffer
	lines := causes(New(&out), b)
	if text := strings.Join(lines, "\n"); strings.Contains(text, "deploy") || !strings.Contains(text, "test") {
		t.Errorf("the causes are\n%s", text)
	}
}

func TestASummaryTellsWhatJobsLeft(t *testing.T) {
	j := job("linux", "linux", "ended", succeeded, 2)
	j.Exported = []client.Variable{{Name: "TAG", Value: "v1\n\x1b[2J" + strings.Repeat("x", 200)}}
	j.Reports = []client.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 12}, {Name: "more", Format: "LCOV", Files: 1, Discovered: true}}
	sets := []client.ArtifactSet{{Job: "linux", Name: "app"}, {Job: "linux", Artifact: "symbols"}}
	var out bytes.Buffer
	Summary(New(&out), build(succeeded, j, job("docs", "docs", "ended", succeeded, 1)), sets)
	text := out.String()
	for _, want := range []string{"2 attempts", "TAG    v1 x", "unit", "12", "more (found)", "linux · symbols"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, strings.Repeat("x", 100)) {
		t.Errorf("a value is shown as it came:\n%s", text)
	}
}

func TestAJobAtABreakpointSaysHowItGoesOn(t *testing.T) {
	j := job("build", "build", "leased", inProgress, 1)
	j.Paused, j.Why = time.Now(), "paused at a breakpoint since 12:00:00 UTC; to go on: runner resume api#1"
	var out bytes.Buffer
	o := New(&out)
	b := build(inProgress, j)
	Summary(o, b, nil)
	Next(o, b, nil)
	v := liveView{screen: screen{o: o}, build: b, at: time.Now()}
	text := out.String()
	if strings.Count(text, "paused at a breakpoint") != 1 || strings.Contains(text, "waits: paused") || !strings.Contains(text, "go on  ") {
		t.Errorf("got\n%s", text)
	}
	if rows := strings.Join(v.rows(), "\n"); !strings.Contains(rows, "PAUSED") || !strings.Contains(rows, "runner resume api#1") {
		t.Errorf("the live view shows\n%s", rows)
	}
	other := job("b", "b", "ended", succeeded, 1)
	if text := strings.Join(jobTable(o, build(inProgress, j, other)), "\n"); !strings.Contains(text, "PAUSED") {
		t.Errorf("the table shows\n%s", text)
	}
}

func TestOnASmallScreenWhatMovesStaysInSight(t *testing.T) {
	var jobs []client.Job
	for i := range 30 {
		jobs = append(jobs, job(fmt.Sprint(i), fmt.Sprintf("done-%d", i), "ended", succeeded, 1))
	}
	jobs = append(jobs, job("r", "runs", "leased", inProgress, 1), job("f", "broke", "ended", failed, 1), job("q", "next", "queued", inProgress, 0))
	got := liveFirst(jobs)
	if got[0].Name != "runs" || got[1].Name != "broke" || got[2].Name != "next" || got[3].Name != "done-0" || len(got) != len(jobs) {
		t.Errorf("the rows begin with %s, %s, %s, %s", got[0].Name, got[1].Name, got[2].Name, got[3].Name)
	}
}

func TestAPipeIsToldOnceWhatManyJobsShare(t *testing.T) {
	var waiting, over []client.Job
	for i := range 500 {
		w := job(fmt.Sprint(i), fmt.Sprintf("job-%d", i), "queued", inProgress, 0)
		w.Why = "waits for a slot"
		e := job(w.ID, w.Name, "ended", stopped, 0)
		e.Reason = "fast_fail"
		waiting, over = append(waiting, w), append(over, e)
	}
	over[0] = job("0", "job-0", "ended", failed, 1)
	over[0].Exit = 1
	var out bytes.Buffer
	v := &plainView{o: New(&out)}
	v.update(build(inProgress, waiting...))
	v.update(build(failed, over...))
	v.drained(over[0])
	Summary(v.o, build(failed, over...), nil)
	text := out.String()
	for _, want := range []string{"[500 jobs] waits for a slot", "[499 jobs] STOPPED (fast fail)", "[job-0] ✗ FAILED with exit status 1"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q stands %d times in\n%.2000s", want, strings.Count(text, want), text)
		}
	}
	if n := strings.Count(text, "\n"); n > 80 {
		t.Errorf("a failure of one job takes %d lines", n)
	}
}
