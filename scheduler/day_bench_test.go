package scheduler

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/figures"
)

const (
	// dayHours is how many hours go by, dayBuilds how many builds of two jobs run in each.
	dayHours  = 24
	dayBuilds = 40
	// dayKept is how long logs are kept, dayLog how large each is.
	dayKept = 4 * time.Hour
	dayLog  = 256 << 10
)

// day is what a day of steady load came to, hour by hour.
type day struct{ memory, artifacts, state [dayHours]float64 }

// BenchmarkFigureDay lets a day of steady load go by: triggers become builds, jobs are leased, leave logs and end, and
// retention is applied each ten minutes of a clock that is moved on. Nothing runs in sandboxes. It compares the last quarter of
// the day with the first one in which everything was in use, the second.
func BenchmarkFigureDay(b *testing.B) {
	var measured *day
	of := func(b *testing.B) *day {
		if measured == nil {
			measured = steadyDay(b)
		}
		return measured
	}
	figures.Run(b, "day-memory", "MiB", func(b *testing.B) (ours, theirs float64) { return quarters(of(b).memory) })
	figures.Run(b, "day-artifacts", "MiB", func(b *testing.B) (ours, theirs float64) { return quarters(of(b).artifacts) })
	figures.Run(b, "day-state", "KiB/build", func(b *testing.B) (ours, theirs float64) {
		s := of(b).state
		return (s[dayHours-1] - s[dayHours/4-1]) * 1024 / (dayHours * 3 / 4 * dayBuilds), 0
	})
}

// quarters are the means of the last quarter and of the second.
func quarters(hours [dayHours]float64) (last, second float64) {
	for i := range dayHours / 4 {
		last += hours[dayHours-1-i] / (dayHours / 4)
		second += hours[dayHours/4+i] / (dayHours / 4)
	}
	return last, second
}

func steadyDay(b *testing.B) *day {
	s := open(b, filepath.Join(b.TempDir(), "state.db"))
	s.db.NoSync = true // the disk is not what is measured
	now := time.Now()
	store, err := artifacts.Open(filepath.Join(b.TempDir(), "artifacts.db"), artifacts.Options{
		Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	r := rand.New(rand.NewPCG(1, 2))
	d := new(day)
	for hour := range dayHours {
		for i := range dayBuilds {
			queued(b, s, fanout(2, false))
			for range 2 {
				runOne(b, s, store, r)
			}
			now = now.Add(time.Hour / dayBuilds)
			if i%(dayBuilds/6) == 0 {
				_, err := store.Expire(b.Context(), artifacts.Policy{MaxAge: dayKept})
				if err == nil {
					_, err = store.Collect(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		stats, err := store.Stats()
		if err != nil {
			b.Fatal(err)
		}
		d.artifacts[hour] = float64(stats.FileBytes) / (1 << 20)
		d.state[hour] = usedOf(s) / (1 << 20)
		debug.FreeOSMemory() // what is held, not what is to be collected yet
		d.memory[hour] = ownMemory(b)
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		b.Logf("hour %2d: %.1f MiB of memory, artifacts.db %.1f MiB, state.db %.2f MiB in use, heap %d KiB in %d objects", hour+1, d.memory[hour], d.artifacts[hour], d.state[hour], ms.HeapAlloc>>10, ms.HeapObjects)
	}
	return d
}

// runOne leases the next job, lets it leave a log, and ends it.
func runOne(b *testing.B, s *Scheduler, store *artifacts.Store, r *rand.Rand) {
	s.mu.Lock()
	l := s.limits()
	l.slots = 4
	e := next(s.queue, l)
	if e != nil {
		s.queue.lease(e)
	}
	s.mu.Unlock()
	if e == nil {
		b.Fatal("no job waits")
	}
	held, err := s.lease(b.Context(), e)
	if err != nil {
		b.Fatal(err)
	}
	var log bytes.Buffer
	for log.Len() < dayLog {
		fmt.Fprintf(&log, "%x %x a line that compresses as lines of logs do\n", r.Uint64(), r.Uint64())
	}
	id := held.attempt.Log
	if err = store.AppendLog(b.Context(), id, 1, log.Bytes()); err == nil {
		err = store.EndLog(b.Context(), id, 2, []byte("end\n"))
	}
	if err == nil {
		err = s.finish(e, held.attempt.Token, green)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// usedOf is how many bytes of the state file are in use.
func usedOf(s *Scheduler) (used float64) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		stats := s.db.Stats()
		used = float64(tx.Size()) - float64(stats.FreePageN+stats.PendingPageN)*float64(s.db.Info().PageSize)
		return nil
	})
	return used
}

// ownMemory is this process's RssAnon in MiB.
func ownMemory(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("the system does not tell what memory a process has: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kib / 1024
}
