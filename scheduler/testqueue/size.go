package testqueue

import (
	"math"
	"time"
)

// size is how much expected work the next batch is to have, and how many items at most. This is factoring (Hummel,
// Schonberg, Flynn 1992) asked at every request, as guided self-scheduling (Polychronopoulos, Kuck 1987) is: of the work
// that waits, R, each of N workers gets R/(x·N), with
//
//	b = N·cv / (2·√n),  x = 1 + b² + b·√(b²+2)
//
// for n items whose durations vary by cv: the less the durations are known and the fewer items are left, the smaller
// the part. It is not smaller than what a batch's start-up is worth, except when that would leave a worker without.
func (q *Queue) size() (target time.Duration, most int) {
	work, squares, known, n := q.outlook()
	workers := float64(q.planFor())
	if n == 0 {
		return 0, 1
	}
	if known < 0.5 && q.token < uint64(workers) {
		return time.Duration(math.MaxInt64), min(probe(q.token), q.opts.MaxItems) // cold: look before handing out much
	}
	startup, rate := q.learned.line()
	b := workers * q.learned.variation(known) / (2 * math.Sqrt(work*work/squares))
	x := 1 + b*b + b*math.Sqrt(b*b+2)
	seconds := math.Max(work/(x*workers), math.Min(worth*startup/rate, work/workers))
	return time.Duration(seconds * float64(time.Second)), q.opts.MaxItems
}

// worth is how many start-ups of work a batch has at least.
const worth = 2.0

// probe is how many items a worker's first batch has when nothing is known: one or two, so that the start-up shows.
func probe(token uint64) int { return 1 + int(token%2) }

// outlook sums up what waits and is not kept for a shard: the work in seconds, its squares, the part of it that is
// recorded, and the number of items.
func (q *Queue) outlook() (work, squares, known float64, n int) {
	for _, i := range q.pending {
		it := &q.items[i]
		if it.owner != 0 {
			continue
		}
		seconds := it.weight.Seconds()
		work, squares, n = work+seconds, squares+seconds*seconds, n+1
		if it.known {
			known += seconds
		}
	}
	if work > 0 {
		known /= work
	}
	return work, squares, known, n
}

// planFor is the number of workers to leave work for: those that live, and those that were planned and may yet come.
func (q *Queue) planFor() int {
	lost := 0
	for _, w := range q.workers {
		if w.state != live {
			lost++
		}
	}
	return max(1, q.liveBut(""), q.opts.Workers-lost)
}
