package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
)

// Source is what a build can be followed by: the part of client.Client that Follow needs.
type Source interface {
	Watch(ctx context.Context, id string, wait func(client.Build) (more bool)) error
	Log(ctx context.Context, id, job string, opts client.LogOptions) (io.ReadCloser, error)
}

var _ Source = (*client.Client)(nil)

// view shows a build while it runs. Its methods are called one at a time.
type view interface {
	// update brings a new state of the build.
	update(b client.Build)
	// log brings output of a job: whole lines, or for a view that wants it raw, whatever came.
	log(job client.Job, text []byte)
	// drained tells that a job's log is complete.
	drained(job client.Job)
	// tick lets time pass.
	tick()
	// end leaves the output at the beginning of a line.
	end()
}

// redraw is how often a live view moves by itself: often enough to look alive, and cheap over ssh.
const redraw = 250 * time.Millisecond

// drainWait bounds how long Follow waits for the end of the logs once the build has ended.
const drainWait = 30 * time.Second

// moment is how long a job waits before a pipe is told why: most waits are over sooner, and are nobody's news.
const moment = 2 * time.Second

// Follow shows a build until it ends and returns its last state. Logs are shown whole, whatever their size: of a
// build with one job as they are, of several with the job's name before each line. The error says why the build
// could not be followed to its end; it is ctx's when that ended first.
func Follow(ctx context.Context, src Source, id string, o *Output) (client.Build, error) {
	return FollowUntil(ctx, src, id, o, func(client.Build) bool { return false })
}

// FollowUntil is Follow that leaves a build which goes on when enough says so.
func FollowUntil(ctx context.Context, src Source, id string, o *Output, enough func(client.Build) bool) (client.Build, error) {
	var v view = &plainView{o: o, wait: moment}
	if o.Live() {
		v = &liveView{screen: screen{o: o}, began: time.Now()}
	}
	return follow(ctx, src, id, v, enough)
}

// Await waits for a build's end, or until enough says that it is, and shows nothing.
func Await(ctx context.Context, src Source, id string, enough func(client.Build) bool) (last client.Build, err error) {
	err = src.Watch(ctx, id, func(b client.Build) bool { last = b; return !enough(b) })
	return last, err
}

func follow(ctx context.Context, src Source, id string, v view, enough func(client.Build) bool) (client.Build, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &follower{src: src, id: id, view: v, started: map[string]bool{}}
	stopTicks := f.tickUntilDone(ctx)
	left := false
	watchErr := src.Watch(ctx, id, func(b client.Build) bool {
		if left = b.Status == inProgress && enough(b); left {
			f.mu.Lock()
			f.last = b
			f.mu.Unlock()
			return false
		}
		f.see(ctx, b)
		return true
	})
	if watchErr != nil || left {
		cancel() // the logs would wait for ever for a build that nobody watches
	}
	logErr := f.drain(cancel)
	stopTicks()
	f.mu.Lock()
	defer f.mu.Unlock()
	v.end()
	if watchErr != nil {
		return f.last, watchErr
	}
	return f.last, logErr
}

// follower brings a build's states and logs together for one view.
type follower struct {
	src     Source
	id      string
	mu      sync.Mutex // guards what follows, view included
	view    view
	last    client.Build
	started map[string]bool // jobs whose log is being read
	errs    []error
	readers sync.WaitGroup
}

func (f *follower) tickUntilDone(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(redraw)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				f.mu.Lock()
				f.view.tick()
				f.mu.Unlock()
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// see takes a new state, and begins to read the log of each job that has begun.
func (f *follower) see(ctx context.Context, b client.Build) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = b
	f.view.update(b)
	for _, job := range b.Jobs {
		if job.Attempt > 0 && job.TakenFrom == "" && !f.started[job.ID] {
			f.started[job.ID] = true
			f.readers.Go(func() { f.read(ctx, job) })
		}
	}
}

// read passes one job's log to the view, to its end.
func (f *follower) read(ctx context.Context, job client.Job) {
	err := f.copyLog(ctx, job)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		f.errs = append(f.errs, fmt.Errorf("reading the log of %s: %w", job.Name, err))
	}
	f.view.drained(job)
}

func (f *follower) copyLog(ctx context.Context, job client.Job) error {
	log, err := f.src.Log(ctx, f.id, job.ID, client.LogOptions{Follow: true})
	if err != nil {
		return err
	}
	defer log.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := log.Read(buf)
		if n > 0 {
			f.mu.Lock()
			f.view.log(job, buf[:n])
			f.mu.Unlock()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// drain waits until every log was read to its end.
func (f *follower) drain(cancel func()) error {
	done := make(chan struct{})
	go func() { f.readers.Wait(); close(done) }()
	late := time.NewTimer(drainWait)
	defer late.Stop()
	var err error
	select {
	case <-done:
	case <-late.C:
		err = fmt.Errorf("the build ended, but its log did not arrive whole within %s; read it with: runner logs %s", Duration(drainWait), f.id)
		cancel()
		<-done
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(append(f.errs, err)...)
}
