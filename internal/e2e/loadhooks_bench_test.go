package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

const (
	// loadHooks is how many webhooks are delivered, loadBuilds how many builds run meanwhile.
	loadHooks  = 10_000
	loadBuilds = 4
)

// load is what a daemon under load came to.
type load struct {
	p99, memory float64 // milliseconds, MiB
	lost        float64
}

// BenchmarkFigureHooksUnderLoad delivers ten thousand pushes over 256 connections while four builds run and print. Then the
// daemon is killed: what it has answered with 202 and does not know after its next start is lost.
func BenchmarkFigureHooksUnderLoad(b *testing.B) {
	var measured *load
	of := func(b *testing.B) *load {
		if measured == nil {
			measured = underLoad(b)
		}
		return measured
	}
	figures.Run(b, "hooks-10k-p99", "ms", func(b *testing.B) (ours, theirs float64) { return of(b).p99, 0 })
	figures.Run(b, "hooks-10k-memory", "MiB", func(b *testing.B) (ours, theirs float64) { return of(b).memory, 0 })
	figures.Run(b, "hooks-10k-lost", "triggers", func(b *testing.B) (ours, theirs float64) { return of(b).lost, 0 })
}

func underLoad(b *testing.B) *load {
	git := newGitServer(b)
	_, url, commit := git.repo("busy", map[string]string{"buildspec.yml": "version: 0.2\nenv:\n  image: " + image +
		"\nphases:\n  build:\n    commands:\n      - while true; do echo a line of some length, again and again; sleep 0.1; done\n"})
	d := newDaemon(b, fmt.Sprintf("slots: %d\n", loadBuilds), project("bench", "https://127.0.0.1:1/acme/bench.git"), project("busy", url))
	var running []string
	for range loadBuilds {
		running = append(running, d.push(url, commit))
	}
	for _, id := range running {
		d.awaitPhase(id, "BUILD")
	}
	memory := d.sampleMemory()
	var mu sync.Mutex
	var times []time.Duration
	var asked atomic.Int64
	accepted := d.over(b, pushBody(b, strings.Repeat("c", 40)), func() bool { return asked.Add(1) <= loadHooks }, func(took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, took)
	})
	l := &load{memory: float64(memory()) / (1 << 20)}
	d.kill()
	d.start()
	slices.Sort(times)
	if len(times) > 0 {
		b.Logf("half of %d were answered within %s, all within %s", len(times), times[len(times)/2], times[len(times)-1])
		l.p99 = times[len(times)*99/100].Seconds() * 1000
	}
	l.lost = float64(accepted) - float64(d.known(b)-loadBuilds)
	for _, id := range running {
		if _, err := d.Stop(b.Context(), id); err != nil {
			b.Error(err)
		}
	}
	d.kill()
	return l
}

// known is how many triggers a daemon knows: their ids count up.
func (d *daemon) known(b *testing.B) int {
	page, err := d.Triggers(b.Context(), client.ListOptions{Limit: 1})
	if err != nil || len(page.Items) == 0 {
		b.Fatalf("no trigger is known: %v", err)
	}
	n, err := strconv.Atoi(strings.TrimLeft(strings.TrimPrefix(page.Items[0].ID, "t"), "0"))
	if err != nil {
		b.Fatal(err)
	}
	return n
}
