//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// agent is one life of the process. Its fields belong to the goroutine of converse.
type agent struct {
	spool     *spool
	transport *transport
	requests  *requests
	epoch     uint64
	heard     bool // the last hello was accepted: what follows it counts
	attempt   string
	jobs      chan *wire.Job
	stops     chan *ending
	resumes   chan wire.Resume // somebody lets a build go on that waits at a breakpoint
}

// lastWordPatience is how long a reader may take nothing before the agent exits without it. The spool has it all.
const lastWordPatience = 2 * time.Second

// defaultGrace is between TERM and KILL when nobody says otherwise.
const defaultGrace = 10 * time.Second

// termGrace is between TERM and KILL when the sandbox itself is told to end: engines wait 10 s before they kill it.
const termGrace = 5 * time.Second

// serve lives one life and returns the exit status.
func serve(opts options) int {
	openCgroups()
	// A broken pipe must end no more than the attach. Ignoring the signal would be inherited by every command.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	r := newReaper()

	in, out, err := streams(opts)
	if err != nil {
		return trouble(err)
	}
	t := newTransport(out)
	s, was, err := openSpool(opts.spool, t.wake)
	if err != nil {
		return trouble(err)
	}
	defer s.close()
	t.spool = s
	go t.run()

	a := &agent{spool: s, transport: t, requests: newRequests(t), jobs: make(chan *wire.Job, 1), stops: make(chan *ending, 1), resumes: make(chan wire.Resume, 1)}
	heard := make(chan error, 1)
	go func() { heard <- a.converse(in) }()
	if was.frames {
		if status, err := os.Lstat(filepath.Join(opts.spool, wire.HoldFile)); err == nil && status.Mode().IsRegular() {
			return hold(opts, term)
		}
		return a.afterlife(was, heard)
	}
	done, err := a.life(term, heard, func(ctx context.Context, job *wire.Job) wire.Done {
		return runJob(ctx, job, s, r, opts.home, a.requests, a.resumes)
	})
	if err != nil {
		return trouble(err)
	}
	return a.lastWord(done)
}

func trouble(err error) int {
	fmt.Fprintln(os.Stderr, "agent:", err)
	return 1
}

// streams opens the two ways in and out.
func streams(opts options) (io.Reader, outlet, error) {
	if opts.in == "" {
		return os.Stdin, newStandardOutput(), nil
	}
	// Open for writing too, so that it does not end when a daemon goes away.
	in, err := os.OpenFile(opts.in, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the way in: %w", err)
	}
	return in, fifo{opts.out}, nil
}

// life waits for the job, runs it, and returns its result.
func (a *agent) life(term <-chan os.Signal, heard <-chan error, run func(context.Context, *wire.Job) wire.Done) (wire.Done, error) {
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	var result chan wire.Done
	broken := a.spool.broken
	for {
		select {
		case job := <-a.jobs:
			result = make(chan wire.Done, 1)
			if limit := job.Limits.TimeoutMillis; limit > 0 {
				timer := time.AfterFunc(time.Duration(limit)*time.Millisecond, func() { end(timeUp(job)) })
				defer timer.Stop()
			}
			go func() { result <- run(ctx, job) }()
		case why := <-a.stops:
			end(why)
			if result == nil {
				return wire.Done{Status: why.status, Reason: why.reason, Message: why.message}, nil
			}
		case <-term:
			end(&ending{
				// A daemon says so when somebody stops a job, and sends no signal.
				status: wire.StatusFault, reason: "sandbox_lost", grace: termGrace, hurry: true,
				message: "the job's sandbox was told to end (SIGTERM) in the middle of the job: its engine or the machine was shut down, or somebody stopped it from outside; retry the build",
			})
			if result == nil {
				return wire.Done{}, errors.New("told to end (SIGTERM) before a job came")
			}
		case err := <-heard:
			if result == nil && len(a.jobs) == 0 {
				return wire.Done{}, fmt.Errorf("the way in closed before a job came: %w", err)
			}
			heard = nil
		case <-broken:
			broken = nil
			end(&ending{status: wire.StatusFault, reason: "agent_error", message: cannotRecord(a.spool.failure())})
		case done := <-result:
			return done, nil
		}
	}
}

func cannotRecord(err error) string {
	return fmt.Sprintf("the build was ended because its record could not be kept: %v; see that the disk below the daemon's data directory is not full", err)
}

func timeUp(job *wire.Job) *ending {
	limit := time.Duration(job.Limits.TimeoutMillis) * time.Millisecond
	return &ending{
		status: wire.StatusTimedOut, reason: "timeout", grace: graceOf(job.Limits.GraceMillis),
		message: fmt.Sprintf("the build took longer than its limit of %s: raise limits.timeout of the project, or make the build shorter", limit),
	}
}

func graceOf(millis int64) time.Duration {
	if millis <= 0 {
		return defaultGrace
	}
	return time.Duration(millis) * time.Millisecond
}

// lastWord records the result and gives an attached reader time to take it.
func (a *agent) lastWord(done wire.Done) int {
	err := a.spool.conclude(done)
	a.transport.drain(lastWordPatience)
	if err != nil {
		return trouble(err)
	}
	return 0
}

// afterlife is what an agent does that was started again on the spool of a former one: the engine restarted the
// sandbox. Nothing of the job is left to go on with.
func (a *agent) afterlife(was former, heard <-chan error) int {
	if !was.done {
		err := a.spool.conclude(wire.Done{
			Status: wire.StatusFault, Reason: "agent_restarted",
			Message: "the sandbox was restarted in the middle of the build, so what ran in it is lost: retry the build",
		})
		if err != nil {
			return trouble(err)
		}
	}
	select { // somebody may be about to attach
	case <-heard:
	case <-time.After(afterlifeWait):
	}
	a.transport.drain(lastWordPatience)
	return 0
}

// afterlifeWait is how long an agent with nothing to do waits for a reader. He can read the spool as well.
const afterlifeWait = time.Second
