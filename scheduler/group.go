package scheduler

import (
	"errors"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// group commits what many write at once in one transaction: what comes while a commit is under way shares the next.
// A lone write waits for nothing. (bbolt's own Batch begins a transaction each time its delay is over, also while others
// wait for their turn, so that commits which take longer than the delay are many and small.)
type group struct {
	db    *bbolt.DB
	meter Meter

	mu      sync.Mutex
	waiting []*write
	busy    bool // somebody commits, or is about to
	shared  int  // writes of the last transaction
}

// write is what one caller wants committed.
type write struct {
	fn   func(*bbolt.Tx) error
	told chan outcome
}

// outcome is what a caller is told: that its write is over, or that it is to lead the next transaction.
type outcome struct {
	lead   bool
	err    error
	thrown any
}

const (
	// maxGroup bounds the writes of one transaction.
	maxGroup = 1000
	// company is how long a transaction is held back for others when the last was shared: those that were just answered
	// come again at once. A commit costs several times as much.
	company = time.Millisecond
)

// update commits fn, perhaps together with others; it is on disk when update returns. fn may run more than once, so what
// it returns by reference must be set anew each time.
func (g *group) update(fn func(*bbolt.Tx) error) error {
	w := &write{fn: fn, told: make(chan outcome, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	lead := !g.busy
	g.busy = true
	g.mu.Unlock()
	if !lead {
		o := <-w.told
		if lead = o.lead; !lead {
			return o.result()
		}
	}
	g.lead()
	return (<-w.told).result() // its own was among those it led
}

func (o outcome) result() error {
	if o.thrown != nil {
		panic(o.thrown)
	}
	return o.err
}

// rush is how many writes of one transaction are a rush.
const rush = 8

// rushed tells whether so many write at once that each should write little, and leave for later what can wait.
func (g *group) rushed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.shared, len(g.waiting)) > rush
}

// lead commits what waits, and lets another lead if more has come meanwhile.
func (g *group) lead() {
	g.mu.Lock()
	crowded := g.shared > 1
	g.mu.Unlock()
	if crowded {
		time.Sleep(company)
	}
	g.mu.Lock()
	n := min(len(g.waiting), maxGroup)
	some := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.shared = n
	g.mu.Unlock()
	g.commit(some)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy = len(g.waiting) > 0; g.busy {
		g.waiting[0].told <- outcome{lead: true}
	}
}

// commit commits writes together. One that fails is told so and left out, and the others are done again.
func (g *group) commit(some []*write) {
	for len(some) > 0 {
		failed := -1
		began := time.Now()
		var of outcome
		all := attempt(func() error {
			return g.db.Update(func(tx *bbolt.Tx) error {
				for i, w := range some {
					// A panic is its caller's, not that of the others.
					if of = attempt(func() error { return w.fn(tx) }); of.err != nil || of.thrown != nil {
						failed = i
						return errLeftOut
					}
				}
				return nil
			})
		})
		if failed < 0 {
			failpoint.Pass("1/group-committed")
			g.meter.Commit("state.db", len(some), time.Since(began))
			for _, w := range some {
				w.told <- all
			}
			return
		}
		some[failed].told <- of
		some = append(some[:failed:failed], some[failed+1:]...)
	}
}

// errLeftOut undoes a transaction.
var errLeftOut = errors.New("a write of the group failed")

// attempt runs something, and returns what it panics with, too: whoever leads must live to let others lead.
func attempt(fn func() error) (o outcome) {
	defer func() { o.thrown = recover() }()
	return outcome{err: fn()}
}
