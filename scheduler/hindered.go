package scheduler

import (
	"sync"
	"time"
)

// hindrance is what keeps every job from starting, whatever slots are free.
type hindrance string

const (
	bySpace hindrance = "space" // the disk has too little left
	byDrain hindrance = "drain" // the daemon drains
)

// hinderedBy tells which it is; of two the one that a person ends.
func hinderedBy(short, draining bool) hindrance {
	switch {
	case draining:
		return byDrain
	case short:
		return bySpace
	}
	return ""
}

// hinderedSpan is when one was there.
type hinderedSpan struct {
	by       hindrance
	from, to time.Time
}

// maxHindered bounds the spans that are remembered: the oldest is of no job's wait any more, or of one that waits for hours.
const maxHindered = 200

// hindrances remembers what kept jobs from starting, since the process began. What it was for a job is stored with the job's
// lease.
type hindrances struct {
	mu   sync.Mutex
	past []hinderedSpan
	open hinderedSpan // of which the end is not known; by "": there is none
}

// note tells what keeps jobs from starting now; "" is that nothing does.
func (h *hindrances) note(by hindrance, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if by == h.open.by {
		return
	}
	if h.open.by != "" {
		h.open.to = now
		h.past = append(h.past, h.open)
		h.past = h.past[max(0, len(h.past)-maxHindered):]
	}
	h.open = hinderedSpan{by: by, from: now}
}

// during sums up what there was in a span.
func (h *hindrances) during(from, to time.Time) map[hindrance]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out map[hindrance]time.Duration
	add := func(s hinderedSpan) {
		if s.from.Before(from) {
			s.from = from
		}
		if s.to.IsZero() || s.to.After(to) {
			s.to = to
		}
		if s.by == "" || !s.from.Before(s.to) {
			return
		}
		if out == nil {
			out = make(map[hindrance]time.Duration)
		}
		out[s.by] += s.to.Sub(s.from)
	}
	for _, s := range h.past {
		add(s)
	}
	add(h.open)
	return out
}
