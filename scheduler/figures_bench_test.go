package scheduler

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

// decisions is how many jobs are given a slot for one sample.
const decisions = 1000

// BenchmarkFigureDecide chooses among a hundred thousand queued jobs, notes the choice and ends the job, again and again:
// what a slot that becomes free costs before anything is stored. It is the mean of a thousand.
func BenchmarkFigureDecide(b *testing.B) {
	figures.Run(b, "decide-100k", "ms", func(b *testing.B) (ours, theirs float64) {
		s := open(b, filepath.Join(b.TempDir(), "state.db"))
		s.queue = crowd(100_000)
		s.queue.lease(next(s.queue, s.limits()))
		began := time.Now()
		for range decisions {
			s.mu.Lock()
			l := s.limits()
			l.slots = 4
			e := next(s.queue, l)
			s.queue.lease(e)
			s.turn++
			s.served[e.project] = s.turn
			s.queue.remove(entryKey(e.build, e.job))
			s.mu.Unlock()
		}
		return time.Since(began).Seconds() * 1000 / decisions, 0
	})
}
