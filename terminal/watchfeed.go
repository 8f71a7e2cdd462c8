package terminal

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
)

// WatchSource is what a daemon can be watched by: the part of client.Client that Watch needs.
type WatchSource interface {
	Source
	Builds(ctx context.Context, opts client.ListOptions) (client.Page[client.Build], error)
	Build(ctx context.Context, id string) (client.Build, error)
	Changes(ctx context.Context, wait func(client.Change) (more bool)) error
}

var _ WatchSource = (*client.Client)(nil)

// Bounds of one look at all builds: open ones and ended ones, and those whose jobs are asked for.
const (
	openShown  = 50
	endedShown = 12
	jobsShown  = 20
)

// All builds are looked at after a change, but not more often than each lookEvery, and now and then anyway: why a job waits
// can change by itself. While the daemon does not answer it is asked each lookEvery.
const (
	lookEvery = time.Second
	lookAnew  = 10 * time.Second
)

// look asks what runs, waits and has just ended.
func look(ctx context.Context, src WatchSource, project string) (builds []client.Build, err error) {
	open, err := src.Builds(ctx, client.ListOptions{Project: project, Status: inProgress, Limit: openShown})
	if err != nil {
		return nil, err
	}
	for i, b := range open.Items {
		if i < jobsShown {
			whole, err := src.Build(ctx, b.ID)
			if err != nil {
				return nil, err
			}
			b = whole
		}
		if b.Status == inProgress { // else it is among the ended ones
			builds = append(builds, b)
		}
	}
	all, err := src.Builds(ctx, client.ListOptions{Project: project, Limit: endedShown + len(builds)})
	if err != nil {
		return nil, err
	}
	for _, b := range all.Items {
		if b.Status != inProgress {
			builds = append(builds, b)
		}
	}
	return builds, nil
}

// refused tells whether an error is the daemon's answer, which asking again does not change, and not that there was none.
func refused(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 && answer.Status != 429
}

// What feeds send to the program.
type (
	newBuilds struct {
		builds []client.Build
		err    error
	}
	newBuild struct {
		from  *feed
		build client.Build
	}
	buildOver struct {
		from *feed
		err  error
	}
	newLog struct {
		from *feed
		text []byte
	}
)

// feed is what brings news of one thing until it is stopped. What it still sends then is known by it, and left aside.
type feed struct {
	of     string
	cancel context.CancelFunc
}

// feeds are the goroutines that bring news.
type feeds struct{ running sync.WaitGroup }

// begin runs bring in a goroutine.
func (fs *feeds) begin(ctx context.Context, of string, bring func(ctx context.Context, f *feed)) *feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{of: of, cancel: cancel}
	fs.running.Go(func() {
		defer cancel()
		bring(ctx, f)
	})
	return f
}

// eachLook calls see with what runs, waits and has just ended, now and after each change, until ctx ends or see wants no more.
func eachLook(ctx context.Context, src WatchSource, project string, see func([]client.Build, error) (more bool)) {
	ctx, cancel := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	var telling sync.WaitGroup
	telling.Go(func() { tellChanges(ctx, src, changed) })
	defer telling.Wait()
	defer cancel()
	for {
		builds, err := look(ctx, src, project)
		if ctx.Err() != nil || !see(builds, err) || !pause(ctx, lookEvery) {
			return
		}
		if err != nil {
			continue
		}
		anew := time.NewTimer(lookAnew)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-anew.C:
		}
		anew.Stop()
	}
}

// tellChanges passes on that something has changed. Of a daemon that cannot tell, it says so each second.
func tellChanges(ctx context.Context, src WatchSource, changed chan<- struct{}) {
	tell := func(client.Change) bool {
		select {
		case changed <- struct{}{}:
		default: // it was told already
		}
		return true
	}
	for {
		_ = src.Changes(ctx, tell)
		if !pause(ctx, lookEvery) {
			return
		}
		tell(client.Change{})
	}
}

// pause waits. It is false once ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// bringBuilds sends all builds each time that something has changed.
func bringBuilds(src WatchSource, project string, send func(any)) func(context.Context, *feed) {
	return func(ctx context.Context, _ *feed) {
		eachLook(ctx, src, project, func(builds []client.Build, err error) bool {
			send(newBuilds{builds, err})
			return true
		})
	}
}

// bringBuild sends each state of a build, then that there are no more.
func bringBuild(src WatchSource, id string, send func(any)) func(context.Context, *feed) {
	return func(ctx context.Context, f *feed) {
		err := src.Watch(ctx, id, func(b client.Build) bool {
			send(newBuild{f, b})
			return ctx.Err() == nil
		})
		if ctx.Err() == nil {
			send(buildOver{f, err})
		}
	}
}

// bringLog sends the end of a job's log, and what is added to it.
func bringLog(src WatchSource, build string, job client.Job, send func(any)) func(context.Context, *feed) {
	return func(ctx context.Context, f *feed) {
		log, err := src.Log(ctx, build, job.ID, client.LogOptions{Offset: max(0, job.LogBytes-keptBytes), Follow: true})
		if err != nil {
			if ctx.Err() == nil {
				send(newLog{f, []byte("the log cannot be read: " + err.Error() + "\n")})
			}
			return
		}
		defer log.Close()
		stop := context.AfterFunc(ctx, func() { log.Close() })
		defer stop()
		for {
			buf := make([]byte, 32<<10)
			n, err := log.Read(buf)
			if n > 0 && ctx.Err() == nil {
				send(newLog{f, buf[:n]})
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && ctx.Err() == nil {
					send(newLog{f, []byte("\nthe log cannot be read: " + err.Error() + "\n")})
				}
				return
			}
		}
	}
}
