package scheduler

import "time"

// TestProgress is how far the tests are that shards of a build take from queues, in what is handed out: test files, packages,
// single tests.
type TestProgress struct{ Done, Failed, Total int }

// TestProgress tells of a build that runs, as far as this process has been asked for its tests: else there are none.
func (s *Scheduler) TestProgress(build string) (p TestProgress) {
	b, err := s.tests.book(build, false)
	if b == nil || err != nil {
		return p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if c.queue == nil {
			continue
		}
		sum := c.queue.Summary()
		p.Done, p.Total = p.Done+sum.Done, p.Total+sum.Total
		p.Failed += sum.Failed + sum.Broken + sum.Lost
	}
	return p
}

// progressEvery is how often those who watch a build are told that more tests have ended: a fast suite ends hundreds a second.
const progressEvery = time.Second

// progressed tells of tests that have ended. The book's lock is held.
func (s *Scheduler) progressed(b *testBook, now time.Time) {
	if now.Sub(b.told) >= progressEvery {
		b.told = now
		s.hub.tell(b.build)
	}
}
