package scheduler

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// testBooks holds the test queues of builds that run. Everything in it is stored, and can be read again.
type testBooks struct {
	hold   time.Duration // how long an answer is held back that says to wait
	mu     sync.Mutex
	builds map[string]*testBook   // by build id
	early  map[string][]earlyNote // by worker, of batches that are not answered
}

// testBook is the test queues of one build. Its lock is held while a transition is stored, so that no answer gets ahead
// of its commit.
type testBook struct {
	build   string
	key     []byte
	project string
	number  int

	mu      sync.Mutex
	calls   map[string]*testCall // by callID; nil: to be read
	learned bool                 // durations, in this process
	part    bool                 // it runs some of the tests alone, by what was asked for
	news    chan struct{}        // closed at the next transition
	told    time.Time            // when those who watch the build were told of tests last
}

// book returns the queues of a build. It makes an empty book when there is none and make says so.
func (t *testBooks) book(build string, create bool) (*testBook, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.builds[build]; b != nil || !create {
		return b, nil
	}
	project, number, err := ParseBuildID(build)
	if err != nil {
		return nil, err
	}
	b := &testBook{build: build, key: buildKey(project, number), project: project, number: number, news: make(chan struct{})}
	if t.builds == nil {
		t.builds = make(map[string]*testBook)
	}
	t.builds[build] = b
	return b, nil
}

func (t *testBooks) all() (books []*testBook) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.builds {
		books = append(books, b)
	}
	return books
}

func (t *testBooks) drop(build string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.builds, build)
	maps.DeleteFunc(t.early, func(worker string, _ []earlyNote) bool { return strings.HasPrefix(worker, build+"/") })
}

// load reads a build's queues unless that was done. Attempts that ended while nobody looked are given up. The book's
// lock is held.
func (s *Scheduler) loadBook(b *testBook) error {
	if b.calls != nil {
		return nil
	}
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		if b.part, err = runsPart(tx, b.key); err == nil {
			b.calls, err = loadTests(tx, b.key, time.Now())
		}
		return err
	})
	if err != nil {
		b.calls = nil
		return err
	}
	return s.giveUp(b)
}

// storeCall commits what happened to a call, with what it taught. When that fails the book is read anew next time. The
// book's lock is held.
func (s *Scheduler) storeCall(b *testBook, c *testCall, samples []testSample) error {
	rows := c.news()
	if len(rows) == 0 {
		return nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i, row := range rows {
			if err := put(tx, bucketTestQueues, testRow(b.key, c.id, c.stored+i), row); err != nil {
				return err
			}
		}
		return learnTimes(tx, b.project, b.teaches(), samples)
	})
	if err != nil {
		b.calls = nil
		return err
	}
	failpoint.Pass("5/tests-committed")
	close(b.news)
	b.news = make(chan struct{})
	c.stored += len(rows)
	b.calls[c.id] = c
	b.learned = b.learned || len(samples) > 0
	s.progressed(b, time.Now())
	return nil
}

// giveUp tells a build's queues which attempts have ended, whatever came of them: what they held goes to others. The
// book's lock is held.
func (s *Scheduler) giveUp(b *testBook) error {
	open := false
	for _, c := range b.calls {
		open = open || (c.queue != nil && !c.queue.Ended())
	}
	if !open {
		return nil
	}
	jobs, err := s.Jobs(b.build)
	if err != nil {
		return err
	}
	for _, c := range b.calls {
		if c.queue == nil || c.queue.Ended() {
			continue
		}
		for i := range jobs {
			if err := c.giveUp(b.build, &jobs[i]); err != nil {
				return err
			}
		}
		if err := s.storeCall(b, c, nil); err != nil {
			return err
		}
	}
	return nil
}

// giveUp tells a queue which attempts at a job have ended.
func (c *testCall) giveUp(build string, j *Job) error {
	if j.TakenFrom != "" || (c.head.Job != "" && c.head.Job != j.ID) || (c.head.Job == "" && j.Shards < 2) {
		return nil
	}
	if j.State == JobEnded && len(j.Attempts) == 0 {
		return c.queue.Lost(workerID(build, j.ID, 0), j.Shard, time.Now())
	}
	for i := range j.Attempts {
		if !j.Attempts[i].Status.Ended() {
			continue
		}
		if err := c.queue.Lost(workerID(build, j.ID, j.Attempts[i].Number), j.Shard, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// workerID names an attempt, to its agent and to test queues.
func workerID(build, job string, attempt int) string {
	return fmt.Sprintf("%s/%s@%d", build, job, attempt)
}

// attemptsEnded passes on that attempts of a build have ended.
func (s *Scheduler) attemptsEnded(build string) {
	b, err := s.tests.book(build, false)
	if b == nil || err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err = s.loadBook(b)
	if err == nil {
		err = s.giveUp(b)
	}
	if err != nil {
		b.calls = nil // it is read again, and the ended attempts are found then
		s.log.Warn("giving up the tests of ended attempts; trying again when they are asked for", "build", build, "error", err)
	}
}

// waitedForTests is how long the attempts of a build waited for tests that others ran, by worker, as far as this process
// knows the queues.
func (s *Scheduler) waitedForTests(build string) map[string]time.Duration {
	b, err := s.tests.book(build, false)
	if b == nil || err != nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[string]time.Duration)
	for _, c := range b.calls {
		if c.queue == nil {
			continue
		}
		for worker, waited := range c.queue.Waited() {
			all[worker] += waited
		}
	}
	return all
}

// sweepTests gives up shards that are silent, and forgets the queues of builds that have ended.
func (s *Scheduler) sweepTests(now time.Time) {
	books := s.tests.all()
	if len(books) == 0 {
		return
	}
	open := make(map[string]bool)
	s.mu.Lock()
	for _, e := range s.queue.all {
		open[e.build] = true
	}
	s.mu.Unlock()
	for _, b := range books {
		err := s.sweepBook(b, now, open[b.build])
		if err != nil {
			s.log.Warn("looking for shards that are silent", "build", b.build, "error", err)
		}
		if err == nil && !open[b.build] {
			s.tests.drop(b.build)
		}
	}
}

func (s *Scheduler) sweepBook(b *testBook, now time.Time, open bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !open {
		if !b.learned {
			return nil
		}
		return s.db.Update(func(tx *bbolt.Tx) error { return trimTimes(tx, b.project, maxTestTimes, maxTestTimeBytes) })
	}
	for _, c := range b.calls {
		if c.queue == nil || c.queue.Ended() {
			continue
		}
		lost, err := c.queue.Expire(now)
		if err == nil {
			err = s.storeCall(b, c, nil)
		}
		if err != nil {
			b.calls = nil
			return err
		}
		for _, worker := range lost {
			s.log.Info("a shard is silent, and its tests go to others", "shard", worker, "call", c.head.Strategy)
		}
	}
	return nil
}

// formerCall finds a call in the build whose failed jobs this one retries, or in the one that that build retried so, where
// it did not come to the call; nil where there is none.
func (s *Scheduler) formerCall(b *Build, id string) (*testCall, error) {
	for {
		t, err := s.Trigger(b.Trigger)
		if err != nil {
			return nil, nil // without its trigger nothing is taken over
		}
		old, results, ok := s.predecessor(&t)
		if !ok || !results {
			return nil, nil
		}
		var calls map[string]*testCall
		err = s.db.View(func(tx *bbolt.Tx) (err error) {
			calls, err = loadTests(tx, buildKey(old.Project, old.Number), time.Now())
			return err
		})
		if calls[id] != nil || err != nil {
			return calls[id], err
		}
		b = &old
	}
}

// rerun are the shards of a retry that run again.
func (s *Scheduler) rerun(build string) (shards []int, err error) {
	jobs, err := s.Jobs(build)
	for i := range jobs {
		if jobs[i].TakenFrom == "" {
			shards = append(shards, jobs[i].Shard)
		}
	}
	return shards, err
}
