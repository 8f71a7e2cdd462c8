package testqueue

import (
	"math"
	"time"
)

// learned is what answered batches say: how long a batch takes for its expected work, and how far that is from what was
// expected. All numbers are seconds.
type learned struct {
	n                float64 // batches
	w, y, ww, wy     float64 // sums over batches: expected work, time, and their products
	squares          float64 // sum of the squares of the items' expected durations
	residuals        float64 // sum of squared differences between expected and real time, by the line as it was
	direct, directly float64 // sum and number of start-ups that the tests' own durations show
	least            float64 // the shortest batch
}

// learn takes an answered batch into account, if all of its work was done in it.
func (q *Queue) learn(b *batch, e Event) {
	var work, squares float64
	for _, i := range b.items {
		seconds := q.items[i].weight.Seconds()
		work += seconds
		squares += seconds * seconds
	}
	y := (time.Duration(e.Took) * time.Microsecond).Seconds()
	if e.Took <= 0 || work <= 0 || len(b.only) > 0 {
		return
	}
	l := &q.learned
	if startup, rate := l.line(); l.n > 0 {
		miss := (y - startup - rate*work) / rate
		l.residuals += miss * miss
		l.squares += squares
	}
	if l.n == 0 || y < l.least {
		l.least = y
	}
	l.n, l.w, l.y, l.ww, l.wy = l.n+1, l.w+work, l.y+y, l.ww+work*work, l.wy+work*y
	if e.Sum > 0 {
		l.direct += (time.Duration(e.Took-e.Sum) * time.Microsecond).Seconds()
		l.directly++
	}
}

// line is the start-up of a batch and the time that a second of expected work takes: the least squares through what was
// seen, unless the tests' own durations show the start-up directly. The start-up is never negative, nor more than the
// shortest batch took.
func (l *learned) line() (startup, rate float64) {
	if l.n == 0 {
		return 0, 1
	}
	spread := l.ww - l.w*l.w/l.n
	switch {
	case l.directly > 0:
		startup = l.direct / l.directly
	case l.n > 2 && spread > 1e-9*l.ww:
		startup = (l.y*l.ww - l.w*l.wy) / (l.n * spread)
	}
	startup = math.Max(0, math.Min(startup, l.least))
	if rate = (l.y - l.n*startup) / l.w; rate <= 0 {
		rate = l.y / l.w
	}
	return startup, rate
}

// Uncertainty that is assumed before anything is seen, as standard deviation over expected duration: of tests that were
// recorded, and of others, which are taken to be as log-normal with σ = 1 is. The assumption weighs as much as
// priorItems items that were seen.
const (
	priorKnown   = 0.25
	priorUnknown = 1.3
	priorItems   = 64
)

// variation is the standard deviation of an item's duration over what is expected of it.
func (l *learned) variation(known float64) float64 {
	prior := known*priorKnown*priorKnown + (1-known)*priorUnknown*priorUnknown
	if l.squares == 0 || l.n < 2 {
		return math.Sqrt(prior)
	}
	weight := priorItems * l.ww / l.w / l.w // keeps the units of squares
	weight = math.Max(weight, priorItems*l.squares/math.Max(l.n, priorItems))
	return math.Sqrt((prior*weight + l.residuals) / (weight + l.squares))
}
