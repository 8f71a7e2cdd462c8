package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// running is build api#1 while it runs.
func running() scheduler.Build {
	return scheduler.Build{Project: "api", Number: 1, Status: scheduler.InProgress, Phase: "BUILD", Created: time.Now()}
}

// over is a build after its end.
func over(b scheduler.Build, s scheduler.Status) scheduler.Build {
	b.Status, b.Phase, b.EndedAt = s, "COMPLETED", time.Now()
	return b
}

// job has attempts with these statuses; the logs are called log-1, log-2, ….
func job(id string, state scheduler.JobState, status scheduler.Status, attempts ...scheduler.Status) scheduler.Job {
	j := scheduler.Job{Build: "api#1", ID: id, Name: id, State: state, Status: status}
	for i, s := range attempts {
		j.Attempts = append(j.Attempts, scheduler.Attempt{Number: i + 1, Status: s, Log: fmt.Sprintf("log-%d", i+1), Frame: 1})
	}
	return j
}

// logLines appends lines to a log as a runner does, a frame each.
func (d *daemon) logLines(log string, from, to int) string {
	d.t.Helper()
	var all strings.Builder
	for i := from; i < to; i++ {
		line := fmt.Sprintf("%s line %d %s\n", log, i, strings.Repeat("x", i%97))
		if err := d.store.AppendLog(context.Background(), log, uint64(i+1), []byte(line)); err != nil {
			d.t.Fatal(err)
		}
		all.WriteString(line)
	}
	return all.String()
}

func (d *daemon) seal(log string) {
	d.t.Helper()
	if err := d.store.SealLog(context.Background(), log); err != nil {
		d.t.Fatal(err)
	}
}

// reading collects what a reader gives, in the background.
type reading struct {
	mu   sync.Mutex
	got  bytes.Buffer
	done chan error
	cond *sync.Cond
}

func read(r io.Reader) *reading {
	out := &reading{done: make(chan error, 1)}
	out.cond = sync.NewCond(&out.mu)
	go func() {
		_, err := io.Copy(out, r)
		out.done <- err
	}()
	return out
}

func (r *reading) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.cond.Broadcast()
	return r.got.Write(p)
}

// until waits for so many bytes.
func (r *reading) until(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.got.Len() < n {
		r.cond.Wait()
	}
}

func (r *reading) end(t *testing.T) string {
	t.Helper()
	if err := <-r.done; err != nil {
		t.Errorf("reading ended with %v", err)
	}
	return r.got.String()
}

func TestALogIsReadFromAnyOffset(t *testing.T) {
	d := newDaemon(t)
	want := d.logLines("log-1", 0, 200)
	d.seal("log-1")
	d.state.put(over(running(), scheduler.Succeeded), job("build", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	for _, offset := range []int{0, 1, 1000, len(want) - 1, len(want)} {
		for _, follow := range []bool{false, true} {
			r, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Offset: int64(offset), Follow: follow})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || string(got) != want[offset:] {
				t.Errorf("offset %d, follow %v: %d bytes, %v; want %d", offset, follow, len(got), err, len(want)-offset)
			}
		}
	}
	resp, _ := d.do(http.MethodGet, "/api/v1/builds/api/1/log?offset=10", nil, nil)
	for name, value := range map[string]string{
		client.LogSizeHeader: fmt.Sprint(len(want)), client.LogCompleteHeader: "true", client.LogJobHeader: "build",
		client.LogAttemptHeader: "1", client.LogAttemptsHeader: "1", "Content-Length": fmt.Sprint(len(want) - 10), "Cache-Control": "no-store",
	} {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	_, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Offset: int64(len(want) + 1)})
	if p := asProblem(t, err); p.Status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %+v", p)
	}
}

func TestLogsThatAreNotThere(t *testing.T) {
	d := newDaemon(t)
	ended := over(running(), scheduler.Failed)
	get := func(job string, attempt int) (string, error) {
		r, err := d.client().Log(t.Context(), "api#1", job, client.LogOptions{Follow: true, Attempt: attempt})
		if err != nil {
			return "", err
		}
		defer r.Close()
		text, err := io.ReadAll(r)
		return string(text), err
	}
	_, err := get("", 0)
	if p := asProblem(t, err); p.Status != 404 || !strings.Contains(p.Detail, "api#1") {
		t.Errorf("no such build: %+v", p)
	}
	d.state.put(ended)
	_, err = get("", 0)
	if p := asProblem(t, err); p.Status != 404 || !strings.Contains(p.Detail, "no jobs") {
		t.Errorf("a build that failed before it had jobs: %+v", p)
	}
	d.state.put(ended, job("build", scheduler.JobEnded, scheduler.Stopped))
	if text, err := get("", 0); text != "" || err != nil {
		t.Errorf("a job stopped in the queue: %q, %v", text, err)
	}
	d.state.put(ended, job("build", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
	_, err = get("nope", 0)
	if p := asProblem(t, err); p.Status != 404 || !strings.Contains(p.Hint, "build") {
		t.Errorf("no such job: %+v", p)
	}
	_, err = get("", 2)
	if p := asProblem(t, err); p.Status != 404 || !strings.Contains(p.Detail, "attempt 2") {
		t.Errorf("no such attempt: %+v", p)
	}
	_, err = get("", 0)
	if p := asProblem(t, err); p.Status != http.StatusGone {
		t.Errorf("a log that retention removed: %+v", p)
	}
	if text := d.log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("none of this is an error of ours:\n%s", text)
	}
}

func TestFollowingFromBeforeThePlanToTheEnd(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running())
	r, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := read(r)
	d.state.put(running(), job("build", scheduler.JobQueued, scheduler.InProgress))
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	want := d.logLines("log-1", 0, 50)
	got.until(len(want))
	want += d.logLines("log-1", 50, 100)
	d.seal("log-1")
	got.until(len(want))
	d.state.put(over(running(), scheduler.Succeeded), job("build", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	if text := got.end(t); text != want {
		t.Errorf("got %d bytes, want %d", len(text), len(want))
	}
}

func TestAFollowerGoesOnIntoTheNextAttempt(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	first := d.logLines("log-1", 0, 10)
	newest, err := d.client().Log(t.Context(), "api#1", "build", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer newest.Close()
	pinned, err := d.client().Log(t.Context(), "api#1", "build", client.LogOptions{Follow: true, Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.Close()
	all, one := read(newest), read(pinned)
	all.until(len(first))
	d.seal("log-1")
	d.state.put(running(), job("build", scheduler.JobQueued, scheduler.InProgress, scheduler.Fault))
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.Fault, scheduler.InProgress))
	second := d.logLines("log-2", 0, 10)
	d.seal("log-2")
	d.state.put(over(running(), scheduler.Succeeded), job("build", scheduler.JobEnded, scheduler.Succeeded, scheduler.Fault, scheduler.Succeeded))
	if text := all.end(t); text != first+second {
		t.Errorf("newest: got\n%s\nwant\n%s", text, first+second)
	}
	if text := one.end(t); text != first {
		t.Errorf("attempt 1: got\n%s\nwant\n%s", text, first)
	}
}

func TestAnAttemptThatVanishedEndsItsFollowers(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	want := d.logLines("log-1", 0, 10)
	r, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := read(r)
	got.until(len(want))
	// The log is never sealed: the sandbox is gone, and nobody was there to do it.
	d.state.put(over(running(), scheduler.Fault), job("build", scheduler.JobEnded, scheduler.Fault, scheduler.Fault))
	if text := got.end(t); text != want {
		t.Errorf("got %d bytes, want %d", len(text), len(want))
	}
}

func TestFollowersSurviveRestartsWithoutLossOrDoubling(t *testing.T) {
	d := newDaemon(t)
	leased := job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress)
	d.state.put(running(), leased)
	want := d.logLines("log-1", 0, 40)

	r, err := d.client().Log(t.Context(), "api#1", "build", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := read(r)
	events := make(chan client.Build, 100)
	watched := make(chan error, 1)
	go func() {
		watched <- d.client().Watch(t.Context(), "api#1", func(b client.Build) bool { events <- b; return true })
	}()
	if b := <-events; b.Status != "IN_PROGRESS" || len(b.Jobs) != 1 {
		t.Errorf("first event: %+v", b)
	}
	for i, end := range []func(){d.stop, d.kill, d.stop} {
		got.until(len(want))
		end()
		d.start()
		want += d.logLines("log-1", 40*(i+1), 40*(i+2))
	}
	d.seal("log-1")
	d.state.put(over(running(), scheduler.Succeeded), job("build", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	if text := got.end(t); text != want {
		t.Errorf("got %d bytes, want %d", len(text), len(want))
	}
	if err := <-watched; err != nil {
		t.Errorf("Watch: %v", err)
	}
	close(events)
	var last client.Build
	for b := range events {
		last = b
	}
	if last.Status != "SUCCEEDED" || last.Phase != "COMPLETED" {
		t.Errorf("last event: %+v", last)
	}
}

func TestAStalledReaderHoldsUpNobody(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	d.logLines("log-1", 0, 1)
	stalled, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	// More than all buffers between here and there hold, while the other end reads nothing.
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for i := range 16 {
		if err := d.store.AppendLog(t.Context(), "log-1", uint64(10+i), block); err != nil {
			t.Fatal(err)
		}
	}
	d.seal("log-1")
	d.state.put(over(running(), scheduler.Succeeded), job("build", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	quick, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer quick.Close()
	n, err := io.Copy(io.Discard, quick)
	if err != nil || n < 16<<20 {
		t.Errorf("the quick reader got %d bytes, %v", n, err)
	}
	slow, err := io.Copy(io.Discard, stalled) // wakes up, and misses nothing
	if err != nil || slow != n {
		t.Errorf("the stalled reader got %d bytes, %v; want %d", slow, err, n)
	}
}

func TestClosingALogEndsItsRead(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running(), job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	want := d.logLines("log-1", 0, 1)
	r, err := d.client().Log(t.Context(), "api#1", "", client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	got := read(r)
	got.until(len(want))
	r.Close()
	if err := <-got.done; err == nil {
		t.Error("a closed log looks whole")
	}
}

func TestWatchSkipsStatesAndEndsWithTheBuild(t *testing.T) {
	d := newDaemon(t)
	b := running()
	d.state.put(b, job("build", scheduler.JobQueued, scheduler.InProgress))
	var seen []string
	err := d.client().Watch(t.Context(), "api#1", func(got client.Build) bool {
		seen = append(seen, got.Status)
		if len(seen) == 1 {
			for range 1000 {
				d.state.put(b, job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
			}
			d.state.put(over(b, scheduler.Failed), job("build", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
		}
		return true
	})
	if err != nil || seen[len(seen)-1] != "FAILED" || len(seen) > 20 {
		t.Errorf("saw %d states, the last %q; %v", len(seen), seen[len(seen)-1], err)
	}
	calls := 0
	d.state.put(b)
	if err := d.client().Watch(t.Context(), "api#1", func(client.Build) bool { calls++; return false }); err != nil || calls != 1 {
		t.Errorf("a watcher that has had enough: %v, %d calls", err, calls)
	}
	if p := asProblem(t, d.client().Watch(t.Context(), "api#99", func(client.Build) bool { return true })); p.Status != 404 {
		t.Errorf("no such build: %+v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := d.client().Watch(ctx, "api#1", func(client.Build) bool { cancel(); return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled watcher: %v", err)
	}
}

func TestNothingIsLeftOfWatchersThatWent(t *testing.T) {
	d := newDaemon(t)
	d.state.put(running())
	for range 5 {
		if err := d.client().Watch(t.Context(), "api#1", func(client.Build) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	d.stop() // waits for the handlers
	for {
		d.state.mu.Lock()
		left := len(d.state.watchers)
		d.state.mu.Unlock()
		if left == 0 {
			return // the watches end with the requests' contexts
		}
		time.Sleep(time.Millisecond)
	}
}
