package source

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/source/pack"
)

// The child's memory is limited in three steps, each for what the one before lets through. An object that must be
// held in memory may have a quarter of the limit, since a delta needs its base, itself and its result. A watch ends
// the child with a sentence when all it holds exceeds the limit. Half as much above it, the kernel refuses: Go's
// runtime does not survive that, and not always with words, so it is the last resort and not the first.

// watchEvery is how often the watch looks. A child fills some tens of megabytes in that time.
const watchEvery = 5 * time.Millisecond

// objectLimit is what one object may take of a child's memory.
func (r *request) objectLimit() int64 {
	if r.Memory <= 0 {
		return defaultMemory / 4
	}
	return r.Memory / 4
}

// answer writes the one answer that a child gives, whoever is first to give it.
type answer struct {
	once sync.Once
	w    io.Writer
	err  error
}

func (a *answer) give(res *response) error {
	a.once.Do(func() { a.err = json.NewEncoder(a.w).Encode(res) })
	return a.err
}

// limitMemory sets the limits of this process, which does nothing but req.
func limitMemory(req *request, a *answer) error {
	limit := req.Memory
	if limit <= 0 {
		return nil
	}
	debug.SetMemoryLimit(limit / 4 * 3)
	debug.SetGCPercent(400) // most children end before they have garbage worth collecting
	hard := uint64(limit + limit/2 + 64<<20)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: hard, Max: hard}); err != nil {
		return err
	}
	go watchMemory(req, a)
	return nil
}

// watchMemory ends the process when it holds too much. It may be stopped anywhere.
func watchMemory(req *request, a *answer) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(watchEvery) {
		metrics.Read(samples)
		if held := samples[0].Value.Uint64() - samples[1].Value.Uint64(); held > uint64(req.Memory) {
			_ = a.give(&response{Error: report(req.tooMuchMemory())})
			os.Exit(0)
		}
	}
}

// tooMuchMemory is the sentence for all three limits.
func (r *request) tooMuchMemory() error {
	return fail(KindMemory, "raise source.memory, or make the repository's largest files smaller",
		"%s of %s needs more than the %d MiB of memory that it may have", doing[r.Op], r.URL, r.Memory>>20)
}

// memoryOr turns the refusal of a single object into that sentence.
func (r *request) memoryOr(err error) error {
	var limit *pack.LimitError
	if errors.As(err, &limit) && limit.What == pack.OneObject {
		return r.tooMuchMemory()
	}
	return err
}
