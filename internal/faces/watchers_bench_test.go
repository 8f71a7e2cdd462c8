package faces

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

// BenchmarkFigurePageWatchers has 200 people look at the page of one build whose eight shards run: cores that the daemon uses
// meanwhile, and memory that it has more.
func BenchmarkFigurePageWatchers(b *testing.B) {
	slots = 8
	w := daemon(b)
	r := w.project(b, "watched", shards(), nil)
	id := r.push()
	defer func() { _, _ = w.Stop(context.WithoutCancel(b.Context()), id) }()
	w.reaches(b, id, "a shard prints", func(got client.Build) bool { return len(got.Jobs) == 8 && got.Jobs[7].Phase == "BUILD" })
	const watchers, took = 200, 10 * time.Second
	var more float64
	figures.Run(b, "build-page-watchers", "cores", func(b *testing.B) (ours, theirs float64) {
		pid := w.cmd.Process.Pid
		alone, before := cpu(b, pid), anonymous(b, pid)
		time.Sleep(took)
		alone = cpu(b, pid) - alone
		ctx, cancel := context.WithCancel(b.Context())
		var all sync.WaitGroup
		looked := make([]int, watchers)
		for i := range watchers {
			all.Go(func() { _ = w.stay(ctx, "/api/v1/builds/watched/1/events?jobs=false", nil) })
			all.Go(func() { _ = w.stay(ctx, "/projects/watched/builds/1/tail", nil) })
			all.Go(func() { _ = w.stay(ctx, "/projects/watched/builds/1", &looked[i]) })
		}
		time.Sleep(2 * time.Second) // they come
		used := cpu(b, pid)
		time.Sleep(took)
		used = cpu(b, pid) - used
		more = anonymous(b, pid) - before
		cancel()
		all.Wait()
		for i, n := range looked {
			if n < 3 {
				b.Errorf("watcher %d saw %d pages", i, n)
			}
		}
		return (used - alone) / took.Seconds(), 0
	})
	figures.Run(b, "build-page-watchers-memory", "MiB", func(*testing.B) (ours, theirs float64) { return max(0, more), 0 })
}

// stay asks for a path again and again, as pace.js does, until the context ends, and counts the answers.
func (w *world) stay(ctx context.Context, path string, answers *int) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+w.token)
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Accept-Encoding", "gzip") // and nobody unpacks it here, where the processor is shared with the daemon
		res, err := crowd.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s was answered %d: %w", path, res.StatusCode, err)
		}
		if answers != nil {
			*answers++
		}
		var dur float64
		_, _ = fmt.Sscanf(res.Header.Get("Server-Timing"), "page;dur=%f", &dur)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(3*time.Second, max(time.Second, time.Duration(200*dur*float64(time.Millisecond))))):
		}
	}
}

// crowd keeps as many connections as browsers would.
var crowd = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
