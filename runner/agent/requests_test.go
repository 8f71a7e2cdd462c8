//go:build linux

package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// Variables by which a test tells an agent of its own how it is to be.
const (
	testPatience = "RUNNER_TEST_PATIENCE"
	testRuntimes = "RUNNER_TEST_RUNTIMES"
	testAlive    = "RUNNER_TEST_ALIVE"
	testAgain    = "RUNNER_TEST_AGAIN"
)

func beAsTold() {
	if d, err := time.ParseDuration(os.Getenv(testPatience)); err == nil {
		requestPatience = d
	}
	if d, err := time.ParseDuration(os.Getenv(testAlive)); err == nil {
		aliveEvery = d
	}
	if d, err := time.ParseDuration(os.Getenv(testAgain)); err == nil {
		retryPause = d
	}
	if file := os.Getenv(testRuntimes); file != "" {
		runtimesFile = file
	}
}

// talk is a daemon that reads what the agent says while the job runs.
type talk struct {
	s   *sandbox
	r   *wire.Reader
	res result
}

// talkTo starts an agent and gives it a job.
func (s *sandbox) talkTo(job wire.Job) *talk {
	s.t.Helper()
	s.start()
	s.send(hello, job)
	return &talk{s: s, r: wire.NewReader(s.out)}
}

// until reads until a frame is what is waited for. Frames that were seen are passed over.
func (k *talk) until(is func(wire.Frame) bool) {
	k.s.t.Helper()
	for {
		f, err := k.r.Read()
		if errors.Is(err, io.EOF) {
			if !is(wire.Frame{}) {
				k.s.t.Fatalf("the agent ended before it said what was waited for\n%s", k.res.log)
			}
			return
		}
		if err != nil {
			k.s.t.Fatal(err)
		}
		if f.Seq > uint64(len(k.res.frames)) {
			k.res.add(k.s.t, f)
		}
		if is(f) {
			return
		}
	}
}

// request waits for a request that is sent between frames.
func (k *talk) request() (req wire.Request) {
	k.s.t.Helper()
	k.until(func(f wire.Frame) bool { return f.Kind == wire.KindRequest && wire.Decode(f, &req) == nil })
	return req
}

// welcome attaches anew and waits for the greeting.
func (k *talk) welcome(epoch uint64) (w wire.Welcome) {
	k.s.t.Helper()
	k.s.send(wire.Hello{Protocol: wire.Protocol, Epoch: epoch})
	k.until(func(f wire.Frame) bool {
		return f.Kind == wire.KindWelcome && wire.Decode(f, &w) == nil && w.Epoch == epoch
	})
	return w
}

// end reads to the end and returns all that was said.
func (k *talk) end() result {
	k.s.t.Helper()
	k.until(func(f wire.Frame) bool { return f.Kind == "" })
	if status := k.s.wait(); status != 0 {
		k.s.t.Fatalf("the agent ended with exit status %d: %s", status, &k.s.errs)
	}
	return k.res
}

func (s *sandbox) cacheJob(commands ...string) wire.Job {
	job := s.job(commands...)
	job.Cache = &wire.CacheSpec{Paths: []string{"deps/**/*"}, Key: "k", Restore: true, Save: true}
	return job
}

func TestARequestIsRepeatedToEachDaemonThatAttaches(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.cacheJob("echo ran"))
	first := k.request()
	if first.Cache == nil || first.Cache.Key != "k" || len(first.Cache.Paths) != 64 || first.ID == 0 {
		t.Fatalf("asked %+v", first)
	}
	s.send(wire.Answer{ID: first.ID + 1, Cache: &wire.CacheAnswer{Hit: true}}) // nobody asked that
	w := k.welcome(2)
	if w.Request == nil || w.Request.ID != first.ID || w.Request.Cache == nil || *w.Request == first {
		t.Fatalf("the second daemon was told %+v", w.Request)
	}
	s.send(wire.Answer{ID: first.ID, Error: "no room"})
	s.send(wire.Answer{ID: first.ID, Cache: &wire.CacheAnswer{Hit: true}}) // too late
	res := k.end()
	if res.done.Status != wire.StatusSucceeded || !strings.Contains(res.log, "Unable to download cache: no room\n") {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
	if w := strings.Index(res.log, "Unable"); w > strings.Index(res.log, "Entering phase BUILD") {
		t.Errorf("the cache came after the first phase\n%s", res.log)
	}
}

func TestADaemonThatIsGoneHoldsNoBuildUp(t *testing.T) {
	s := newSandbox(t)
	s.env = []string{testPatience + "=50ms"}
	res := s.talkTo(s.cacheJob("echo ran")).end()
	if res.done.Status != wire.StatusSucceeded || !strings.Contains(res.log, "no daemon answered for 50ms") || res.output() != "ran\n" {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}

// TestACacheThatIsOnItsWayIsWaitedFor writes the file as daemons do, for longer than the agent waits for an answer that
// nothing is seen of.
func TestACacheThatIsOnItsWayIsWaitedFor(t *testing.T) {
	s := newSandbox(t)
	s.env = []string{testPatience + "=400ms"}
	k := s.talkTo(s.cacheJob("echo ran"))
	req := k.request()
	part, err := os.Create(filepath.Join(s.spool, wire.PartOf(wire.RestoreFile)))
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	for range 12 {
		time.Sleep(100 * time.Millisecond)
		if _, err := part.WriteString("more"); err != nil {
			t.Fatal(err)
		}
	}
	s.send(wire.Answer{ID: req.ID, Error: "given up at last"})
	if res := k.end(); !strings.Contains(res.log, "given up at last") || strings.Contains(res.log, "no daemon answered") {
		t.Errorf("the agent did not wait for what it saw coming\n%s", res.log)
	}
}

// TestRequestsTakeTurns asks several things at one time. What waits for its turn has no more patience than what is open.
func TestRequestsTakeTurns(t *testing.T) {
	former := requestPatience
	requestPatience = 40 * time.Millisecond
	defer func() { requestPatience = former }()
	q := newRequests(newTransport(nil))
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan error, 1)
	late := make(chan bool, 2)
	go func() {
		_, err := q.insist(ctx, wire.Request{Tests: &wire.TestsRequest{}}, func() { late <- true })
		held <- err
	}()
	<-late // it is open, and waits on
	if _, err := q.ask(t.Context(), wire.Request{Cache: &wire.CacheRequest{}}, nil); !errors.Is(err, errUnanswered) {
		t.Errorf("behind a request that nobody answers came %v", err)
	}
	requestPatience = patience
	answered := make(chan wire.Answer, 3)
	for range cap(answered) {
		go func() {
			answer, err := q.insist(t.Context(), wire.Request{Tests: &wire.TestsRequest{}}, func() {})
			if err != nil {
				t.Error(err)
			}
			answered <- answer
		}()
	}
	cancel()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was given up ended with %v", err)
	}
	for id := uint64(2); id < 5; {
		q.hear(wire.Answer{ID: id})
		select {
		case answer := <-answered:
			if answer.ID != id {
				t.Errorf("request %d has the answer to %d", id, answer.ID)
			}
			id++
		case <-time.After(time.Millisecond):
		}
	}
	if len(late) != 0 {
		t.Error("it was said twice that an answer is late")
	}
}

func TestAJobThatWaitsForAnAnswerCanBeStopped(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.cacheJob("echo ran"))
	k.request()
	s.send(wire.Stop{Status: wire.StatusStopped, Reason: "why", GraceMillis: 100})
	if res := k.end(); res.done.Status != wire.StatusStopped || res.output() != "" {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}
