package outbox

import (
	"slices"
	"time"
)

// lanes is the picture in memory of what waits: who is sent to next is decided on it, without reading rows. It may name
// a row that is gone, which is found when the row is read; it lacks none that is there.
type lanes struct {
	all  map[string]*lane
	of   map[uint64]string // sequence → lane
	turn uint64
}

// lane is what waits for one receiver.
type lane struct {
	waiting  []entry // by sequence
	busy     bool    // one of it is being sent
	failures int     // in a row
	until    time.Time
	turn     uint64 // in which it was last served
}

type entry struct {
	seq  uint64
	next time.Time // not before
}

func newLanes() lanes { return lanes{all: make(map[string]*lane), of: make(map[uint64]string)} }

func (ls *lanes) add(name string, seq uint64, next time.Time) {
	l := ls.all[name]
	if l == nil {
		l = &lane{}
		ls.all[name] = l
	}
	at, found := l.find(seq)
	if found {
		l.waiting[at].next = next
		return
	}
	l.waiting = slices.Insert(l.waiting, at, entry{seq, next})
	ls.of[seq] = name
}

func (ls *lanes) remove(name string, seq uint64) {
	delete(ls.of, seq)
	l := ls.all[name]
	if l == nil {
		return
	}
	if at, found := l.find(seq); found {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	}
	ls.tidy(name, l)
}

// tidy forgets a lane that has nothing to remember.
func (ls *lanes) tidy(name string, l *lane) {
	if len(l.waiting) == 0 && !l.busy {
		delete(ls.all, name)
	}
}

func (l *lane) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(l.waiting, seq, func(e entry, seq uint64) int {
		switch {
		case e.seq < seq:
			return -1
		case e.seq > seq:
			return 1
		}
		return 0
	})
}

// take chooses what is sent next, and marks its lane busy: of the lanes that may be sent to, the one whose turn lies
// furthest back, and of that the oldest item that is due. Without one it returns the time at which there will be one;
// zero where nothing waits for a time.
func (ls *lanes) take(now time.Time) (name string, seq uint64, at time.Time) {
	var best *lane
	for n, l := range ls.all {
		if l.busy {
			continue
		}
		first, due := l.due(now)
		if first == 0 {
			if !due.IsZero() && (at.IsZero() || due.Before(at)) {
				at = due
			}
			continue
		}
		if best == nil || l.turn < best.turn || l.turn == best.turn && first < seq {
			best, name, seq = l, n, first
		}
	}
	if best == nil {
		return "", 0, at
	}
	ls.turn++
	best.busy, best.turn = true, ls.turn
	return name, seq, time.Time{}
}

// due is the oldest item of a lane that may be sent now or, as 0, the time at which one may.
func (l *lane) due(now time.Time) (seq uint64, at time.Time) {
	for _, e := range l.waiting {
		ready := e.next
		if l.until.After(ready) {
			ready = l.until
		}
		if !ready.After(now) {
			return e.seq, time.Time{}
		}
		if at.IsZero() || ready.Before(at) {
			at = ready
		}
	}
	return 0, at
}

// free ends the sending of one item of a lane. A failure keeps the whole lane waiting until a time.
func (ls *lanes) free(name string, failed bool, until time.Time) {
	l := ls.all[name]
	if l == nil {
		return
	}
	l.busy, l.until = false, until
	l.failures++
	if !failed {
		l.failures = 0
	}
	ls.tidy(name, l)
}

// failuresOf counts the failures of a lane since it last answered.
func (ls *lanes) failuresOf(name string) int {
	if l := ls.all[name]; l != nil {
		return l.failures
	}
	return 0
}
