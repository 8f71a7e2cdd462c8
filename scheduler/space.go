package scheduler

// UseSpace sets how it is asked whether there is disk space for another job: the answer is why there is not, in words that
// the job's record shows, or "". It must come at once. Call it before Start; without it there is always space.
func (s *Scheduler) UseSpace(ask func() string) { s.space = ask }

// UseLast sets how disk space is given up that was kept for a result which could not be stored; it tells whether there was
// any. Call it before Start; without it there is none.
func (s *Scheduler) UseLast(give func() bool) { s.last = give }

// ShortOfSpace tells why no job is started for lack of disk space; "" if jobs are. Those that wait go on by themselves
// when there is room again: the dispatcher asks each second.
func (s *Scheduler) ShortOfSpace() string {
	if s.space == nil {
		return ""
	}
	return s.space()
}
