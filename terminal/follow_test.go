package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// script is a build that was recorded: its states in order, and each job's log.
type script struct {
	states []client.Build
	logs   map[string]string
	err    error // of Watch, after the states
}

func (s *script) Watch(_ context.Context, _ string, wait func(client.Build) bool) error {
	for _, b := range s.states {
		if !wait(b) {
			return nil
		}
	}
	return s.err
}

func (s *script) Log(_ context.Context, _, job string, _ client.LogOptions) (io.ReadCloser, error) {
	text, ok := s.logs[job]
	if !ok {
		return nil, errors.New("no such log")
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func job(id, name, state, status string, attempt int) client.Job {
	return client.Job{ID: id, Name: name, State: state, Status: status, Attempt: attempt, Seconds: 2, LogBytes: 10}
}

func build(status string, jobs ...client.Job) client.Build {
	return client.Build{ID: "api#1", Status: status, Phase: "BUILD", Title: "Fix it", Commit: "0123456789", Seconds: 12.34, Jobs: jobs}
}

func TestOneJobsLogIsPassedOnByteByByte(t *testing.T) {
	log := "a\r\n\x1b[31mred\x00" + strings.Repeat("long ", 40_000) + "no line end"
	src := &script{
		states: []client.Build{
			{ID: "api#1", Status: inProgress, Phase: "DOWNLOAD_SOURCE"},
			build(inProgress, job("build", "build", "queued", inProgress, 0)),
			build(inProgress, job("build", "build", "leased", inProgress, 1)),
			build(succeeded, job("build", "build", "ended", succeeded, 1)),
		},
		logs: map[string]string{"build": log},
	}
	var out bytes.Buffer
	b, err := Follow(t.Context(), src, "api#1", New(&out))
	if err != nil || b.Status != succeeded {
		t.Fatalf("%s, %v", b.Status, err)
	}
	if want := "api#1     Fix it · 0123456\n" + log + "\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestSeveralJobsLinesBearTheirNames(t *testing.T) {
	waiting := job("s2", "shard 2/2", "queued", inProgress, 0)
	waiting.Why = "waits for a slot"
	lost := job("s2", "shard 2/2", "ended", failed, 1)
	lost.Phase, lost.Exit, lost.Reason = "BUILD", 3, "command_failed"
	src := &script{
		states: []client.Build{
			build(inProgress, job("s1", "shard 1/2", "leased", inProgress, 1), waiting),
			build(failed, job("s1", "shard 1/2", "ended", succeeded, 1), lost),
		},
		logs: map[string]string{"s1": "one\ntwo", "s2": "three\n\nfour\n"},
	}
	var out bytes.Buffer
	if _, err := follow(t.Context(), src, "api#1", &plainView{o: New(&out)}, never); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, story := range [][]string{
		{"api#1     Fix it · 0123456 · 2 jobs", "[shard 1/2] one", "[shard 1/2] two", "[shard 1/2] ✓ SUCCEEDED in 2.0 s"},
		{"[shard 2/2] waits for a slot", "[shard 2/2] three", "[shard 2/2] ", "[shard 2/2] four",
			"[shard 2/2] ✗ FAILED in BUILD with exit status 3 (command failed) after 2.0 s"},
	} {
		rest := text
		for _, line := range story {
			_, after, found := strings.Cut(rest, line+"\n")
			if !found {
				t.Fatalf("%q does not follow in:\n%s", line, text)
			}
			rest = after
		}
	}
}

func TestLiveViewShowsShardsAndTheFailedOnesLog(t *testing.T) {
	lost := job("s2", "shard 2/2", "ended", failed, 1)
	lost.Phase, lost.Exit = "BUILD", 1
	running := job("s1", "shard 1/2", "leased", inProgress, 1)
	running.Phase, running.Command = "BUILD", "go test ./..."
	src := &script{
		states: []client.Build{
			{ID: "api#1", Status: inProgress, Phase: "QUEUED"},
			build(inProgress, running, lost),
			build(failed, job("s1", "shard 1/2", "ended", succeeded, 1), lost),
		},
		logs: map[string]string{"s1": "fine\n", "s2": strings.Repeat("noise\n", 50) + "\x1b]0;x\x07--- FAIL: TestX\n[Container] now Phase complete: BUILD\n"},
	}
	var out bytes.Buffer
	o := &Output{w: &out, live: true, width: 100}
	v := &liveView{screen: screen{o: o}}
	if _, err := follow(t.Context(), src, "api#1", v, never); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"● api#1   QUEUED", "● shard 1/2   BUILD              2.0 s   go test ./...", "✗ shard 2/2   FAILED             2.0 s   FAILED in BUILD with exit status 1",
		"✗ the end of the log of shard 2/2\n  noise", "  --- FAIL: TestX\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	if strings.Contains(text, "fine") || strings.Contains(text, "Phase complete") || strings.Contains(text, "\x1b]") || strings.Count(text, "noise") != tailLines-1 {
		t.Errorf("more is shown than should be: %q", text)
	}
	if !strings.HasSuffix(text, "\x1b[J") {
		t.Errorf("the block stays behind: %q", text[max(0, len(text)-40):])
	}
}

func TestFollowSaysWhyItCouldNotGoOn(t *testing.T) {
	gone := errors.New("the daemon is gone")
	src := &script{states: []client.Build{build(inProgress, job("build", "build", "leased", inProgress, 1))}, err: gone, logs: map[string]string{"build": "x"}}
	if _, err := Follow(t.Context(), src, "api#1", New(io.Discard)); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	src = &script{states: []client.Build{build(succeeded, job("build", "build", "ended", succeeded, 1))}}
	if b, err := Follow(t.Context(), src, "api#1", New(io.Discard)); err == nil || b.Status != succeeded || !strings.Contains(err.Error(), "reading the log of build") {
		t.Errorf("got %v, %v", b.Status, err)
	}
}

func TestSummary(t *testing.T) {
	one := job("s1", "shard 1/2", "ended", succeeded, 1)
	one.Phases = []client.Phase{{Name: "PROVISIONING", Status: succeeded, Seconds: .5}, {Name: "BUILD", Status: succeeded, Seconds: 9}}
	two := job("s2", "shard 2/2", "ended", failed, 2)
	two.Phase, two.Exit, two.Reason, two.Command = "BUILD", 1, "command_failed", "go test ./...\necho done"
	two.Message = "go test ./... exited with status 1"
	two.Phases = []client.Phase{{Name: "PROVISIONING", Status: succeeded, Seconds: .4}, {Name: "BUILD", Status: failed, Seconds: 58}}
	b := build(failed, one, two)
	b.Message, b.Reason = "shard 2/2 failed in BUILD", "job_failed"
	b.Warnings = []string{"b.yml:2:1: warning: unknown key\nhint: remove it", "the clock jumped"}
	b.Phases = []client.Phase{{Name: "SUBMITTED", Status: succeeded}, {Name: "QUEUED", Status: succeeded, Seconds: .2}}
	sets := []client.ArtifactSet{{Job: "s1", Name: "dist", Bytes: 12_345, Files: make([]client.ArtifactFile, 3)}}
	var out bytes.Buffer
	Summary(New(&out), b, sets)
	Next(New(&out), b, sets)
	want := `✗ shard 2/2 failed in BUILD (job failed)
✗ shard 2/2  FAILED in BUILD with exit status 1 (command failed)
  command   go test ./...
            echo done
  go test ./... exited with status 1
b.yml:2:1: warning: unknown key
hint: remove it
warning: the clock jumped

jobs          status       time
✓ shard 1/2   SUCCEEDED   2.0 s
✗ shard 2/2   FAILED      2.0 s   2 attempts

phases           shard 1/2   shard 2/2
✓ SUBMITTED          0.0 s
✓ QUEUED             0.2 s
✓ PROVISIONING       0.5 s       0.4 s
✗ BUILD              9.0 s      58.0 s

artifacts   name   files    size
s1          dist       3   12 KB

log         runner logs api#1 s2
artifacts   runner artifacts api#1 --out DIR
again       runner retry api#1 --failed

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if got := Verdict(b); got != "api#1 FAILED in 12.3 s" {
		t.Errorf("verdict %q", got)
	}
}

func TestSummaryOfManyJobsShowsTheSlowest(t *testing.T) {
	var jobs []client.Job
	for i := range 8 {
		j := job("s", "shard "+string(rune('1'+i)), "ended", succeeded, 1)
		j.Phases = []client.Phase{{Name: "BUILD", Status: succeeded, Seconds: float64(i)}}
		jobs = append(jobs, j)
	}
	var out bytes.Buffer
	Summary(New(&out), build(succeeded, jobs...), nil)
	if want := "phases    slowest\n✓ BUILD     7.0 s   shard 8\n"; !strings.Contains(out.String(), want) {
		t.Errorf("got\n%s", out.String())
	}
}

func never(client.Build) bool { return false }
