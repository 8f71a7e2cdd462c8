package scheduler

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"time"

	"go.etcd.io/bbolt"
)

// Outlook is who holds the slots and who gets them next, as the dispatcher's own rule and the durations of former builds say.
type Outlook struct {
	Slots    int
	Held     []Turn
	Waiting  []Turn // in the order in which they will likely start
	More     int    // that wait behind these
	Blocked  []Turn // that wait for other jobs or for their build's place in a group
	Planning []string
}

// Turn is a job that holds a slot or waits.
type Turn struct {
	Build, Project string
	Since          time.Time // it holds its slot, or waits
	Place          int       // in line, from 1; 0: it is in none
	Starts         time.Time // likely; zero: nothing is known
	Ends           time.Time
	Job            Job

	entry entry
}

// vague is how long a job is taken to run of which nothing is known: for the order alone, no time is told then.
const vague = time.Minute

// Outlook looks ahead as far as so many jobs that wait.
func (s *Scheduler) Outlook(most int) (out Outlook, err error) {
	known, err := s.Histories()
	if err != nil {
		return out, err
	}
	now := time.Now()
	s.mu.Lock()
	l := s.limits()
	l.served = maps.Clone(l.served)
	out.Slots = l.slots
	var waiting, blocked []entry
	for _, e := range s.queue.all {
		switch e.state {
		case JobLeased:
			out.Held = append(out.Held, Turn{entry: *e, Since: e.leased})
		case JobQueued:
			waiting = append(waiting, *e)
		case JobBlocked:
			blocked = append(blocked, *e)
		}
	}
	halted := s.draining
	for id := range s.planning {
		out.Planning = append(out.Planning, id)
	}
	s.mu.Unlock()
	slices.Sort(out.Planning)
	slices.SortFunc(out.Held, func(a, b Turn) int { return a.Since.Compare(b.Since) })
	sortEntries(blocked)
	for i := range blocked[:min(most, len(blocked))] {
		out.Blocked = append(out.Blocked, Turn{entry: blocked[i], Since: blocked[i].queued})
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		took := func(e *entry) time.Duration { return tookBefore(tx, known[e.project].Recent, e) }
		out.Waiting = foresee(out.Held, waiting, l, now, most, took)
		out.More = len(waiting) - len(out.Waiting)
		for _, turns := range []*[]Turn{&out.Held, &out.Waiting, &out.Blocked} {
			if *turns, err = readTurns(tx, *turns); err != nil {
				return err
			}
		}
		return nil
	})
	if halted || s.ShortOfSpace() != "" {
		for i := range out.Waiting {
			out.Waiting[i].Starts = time.Time{}
		}
	}
	return out, err
}

func sortEntries(all []entry) {
	sort.Slice(all, func(i, j int) bool { return readyHeap{&all[i], &all[j]}.Less(0, 1) })
}

// readTurns reads the rows of jobs, and leaves out those that ended meanwhile.
func readTurns(tx *bbolt.Tx, turns []Turn) (out []Turn, err error) {
	for _, t := range turns {
		t.Build, t.Project = t.entry.build, t.entry.project
		key, err := keyOf(t.Build)
		if err != nil {
			return nil, err
		}
		j, err := findJob(tx, key, t.entry.index, t.entry.job)
		if errors.Is(err, ErrNotFound) || err == nil && j.State == JobEnded {
			continue
		}
		if err != nil {
			return nil, err
		}
		one := []Job{*j}
		if err := tellGroup(tx, key, one); err != nil {
			return nil, err
		}
		if t.Job = one[0]; t.Since.IsZero() || !t.Job.Queued.IsZero() && t.Job.State == JobQueued {
			t.Since = t.Job.Queued // since a former daemon, where it waited for one
		}
		out = append(out, t)
	}
	return out, nil
}

// tookBefore is what the same job of the project's last builds took that succeeded; 0: nothing is known.
func tookBefore(tx *bbolt.Tx, recent []Mark, e *entry) time.Duration {
	var all []time.Duration
	for i := range recent {
		if recent[i].Status != Succeeded {
			continue
		}
		j, err := findJob(tx, buildKey(e.project, recent[i].Number), e.index, e.job)
		if err == nil && j.Status == Succeeded && j.TakenFrom == "" && len(j.Attempts) > 0 {
			last := j.Attempts[len(j.Attempts)-1]
			all = append(all, last.EndedAt.Sub(last.Started))
		}
		if len(all) == 3 {
			break
		}
	}
	return median(all)
}

// run is a job that holds a slot in what is foreseen.
type run struct {
	project string
	ends    time.Time
	unsure  bool
}

// foresee plays the dispatcher's choices ahead. From the first end on of which nothing is known, no start is told.
func foresee(held []Turn, waiting []entry, l limits, now time.Time, most int, took func(*entry) time.Duration) (out []Turn) {
	running := map[string]int{}
	var runs []run
	begin := func(e *entry, at time.Time) run {
		running[e.project]++
		d := took(e)
		r := run{e.project, at.Add(d), d == 0}
		if r.unsure {
			r.ends = at.Add(vague)
		}
		if r.ends.Before(now) {
			r.ends = now // it takes longer than it did: any moment now
		}
		return r
	}
	for i := range held {
		r := begin(&held[i].entry, held[i].entry.leased)
		if runs = append(runs, r); !r.unsure {
			held[i].Ends = r.ends
		}
	}
	sortEntries(waiting)
	lines := map[string][]*entry{}
	for i := range waiting {
		lines[waiting[i].project] = append(lines[waiting[i].project], &waiting[i])
	}
	turn := uint64(1 << 62)
	for at, sure := now, true; len(out) < min(most, len(waiting)); {
		if len(runs) < l.slots {
			if e := takeFirst(lines, running, l, at); e != nil {
				turn++
				l.served[e.project] = turn
				t := Turn{entry: *e, Since: e.queued, Place: len(out) + 1}
				r := begin(e, at)
				if sure {
					t.Starts = at
					if !r.unsure {
						t.Ends = r.ends
					}
				}
				runs, out = append(runs, r), append(out, t)
				continue
			}
		}
		next, ok := nextMoment(&runs, running, lines, at, &sure)
		if !ok {
			break
		}
		at = next
	}
	return out
}

// takeFirst takes the job out of its line that the dispatcher would choose.
func takeFirst(lines map[string][]*entry, running map[string]int, l limits, at time.Time) (best *entry) {
	for project, all := range lines {
		if most := l.maxJobs(project); most > 0 && running[project] >= most {
			continue
		}
		i := slices.IndexFunc(all, func(e *entry) bool { return !e.notBefore.After(at) })
		if i < 0 {
			continue
		}
		if e := all[i]; best == nil || before(e, best, running[project], running[best.project], l.served) {
			best = e
		}
	}
	if best != nil {
		all := lines[best.project]
		if all = slices.DeleteFunc(all, func(e *entry) bool { return e == best }); len(all) == 0 {
			delete(lines, best.project)
		} else {
			lines[best.project] = all
		}
	}
	return best
}

// nextMoment goes on to the next end of a job, or to when one may be tried again.
func nextMoment(runs *[]run, running map[string]int, lines map[string][]*entry, at time.Time, sure *bool) (next time.Time, ok bool) {
	first := -1
	for i, r := range *runs {
		if first < 0 || r.ends.Before((*runs)[first].ends) {
			first = i
		}
	}
	for _, all := range lines {
		for _, e := range all {
			if e.notBefore.After(at) && (next.IsZero() || e.notBefore.Before(next)) {
				next = e.notBefore
			}
		}
	}
	if first < 0 || !next.IsZero() && next.Before((*runs)[first].ends) {
		return next, !next.IsZero()
	}
	r := (*runs)[first]
	*runs = slices.Delete(*runs, first, first+1)
	running[r.project]--
	if r.unsure {
		*sure = false
	}
	if r.ends.Before(at) {
		return at, true
	}
	return r.ends, true
}
