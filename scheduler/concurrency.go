package scheduler

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Builds that name the same concurrency group wait for each other. A build that waits has its jobs blocked, so that it takes
// no slot and its wait counts against no limit; it is given one of the group's places, in the order of the builds' numbers over all
// projects, by the transaction that ends the build which had it. Place and wait are in the rows: no restart loses or doubles
// either.

// waitsForGroup is what the jobs of a build wait for that has no place. Whom they wait for is said when they are shown, since
// it changes with each build that ends.
const waitsForGroup = "waits for its concurrency group"

// joinGroup has a build that is made join its project's group, if its name is known already.
func joinGroup(p *Project, b *Build) {
	if p.Concurrency.Group == "" || b.Group != "" {
		return
	}
	ref := b.Ref
	if ref == "" && p.Branch != "" {
		ref = "refs/heads/" + p.Branch
	}
	if name, known := p.Concurrency.Name(p.Name, ref); known {
		b.Group, b.Limit = name, max(p.Concurrency.Limit, 1)
	}
}

// held tells whether a build waits for a place in its group.
func (b *Build) held() bool { return b.Group != "" && !b.Holds }

// hold blocks the jobs of a build that is to be queued until it has a place.
func hold(jobs []Job) {
	for i := range jobs {
		if jobs[i].State == JobQueued {
			jobs[i].State, jobs[i].Why = JobBlocked, waitsForGroup
		}
	}
}

// indexGroup keeps the index of open builds by group true of a build.
func indexGroup(tx *bbolt.Tx, key []byte, b *Build) error {
	if b.Group == "" {
		return nil
	}
	groups, at := tx.Bucket(bucketGroups), indexKey(b.Group, b.Seq)
	if b.Status.Ended() {
		return groups.Delete(at)
	}
	return groups.Put(at, key)
}

// member is a build of a group, in its order.
type member struct {
	key []byte
	row *Build // without its plan
}

func members(tx *bbolt.Tx, group string) (all []member, err error) {
	prefix := word(group)
	c := tx.Bucket(bucketGroups).Cursor()
	for k, key := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, key = c.Next() {
		if len(k) != len(prefix)+8 {
			continue
		}
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return nil, err
		}
		all = append(all, member{bytes.Clone(key), b})
	}
	return all, nil
}

// entitled are the members that are next to have a place. One that is being planned keeps its turn, so that the order is that
// of the numbers, however long planning takes.
func entitled(all []member) (next []member) {
	taken := 0
	for _, m := range all {
		if m.row.Holds {
			taken++
		}
	}
	for _, m := range all {
		if m.row.Holds {
			continue
		}
		if taken >= max(m.row.Limit, 1) {
			return next
		}
		taken++
		next = append(next, m)
	}
	return next
}

// takePlace gives a build that is about to be queued a place in its group, if it is its turn. Its row is the caller's to store.
func takePlace(tx *bbolt.Tx, b *Build) error {
	if !b.held() {
		return nil
	}
	key := buildKey(b.Project, b.Number)
	if err := indexGroup(tx, key, b); err != nil { // of one that learned its ref, and so its group, when it was fetched
		return err
	}
	all, err := members(tx, b.Group)
	if err != nil {
		return err
	}
	for i := range all {
		if bytes.Equal(all[i].key, key) {
			all[i].row = b
		}
	}
	for _, m := range entitled(all) {
		if bytes.Equal(m.key, key) {
			b.Holds = true
		}
	}
	return nil
}

// granted is a build that was given a place, or that now waits for another build.
type granted struct {
	build string
	after *aftermath // nil: it waits
}

// passPlace gives the place of a build that has ended to whoever is next, in the same transaction.
func (s *Scheduler) passPlace(tx *bbolt.Tx, ended *Build, now time.Time) (out []granted, err error) {
	if ended.Group == "" {
		return nil, nil
	}
	all, err := members(tx, ended.Group)
	if err != nil {
		return nil, err
	}
	next := entitled(all)
	for _, m := range all {
		if m.row.Holds {
			continue
		}
		g := granted{build: m.row.ID()}
		if slices.ContainsFunc(next, func(n member) bool { return n.row == m.row }) {
			if g.after, err = s.grant(tx, m.key, now); err != nil {
				return nil, err
			}
		}
		out = append(out, g)
	}
	return out, nil
}

// grant gives a build its place. One that is still being planned takes it when it is queued.
func (s *Scheduler) grant(tx *bbolt.Tx, key []byte, now time.Time) (*aftermath, error) {
	b, err := s.load(tx, key)
	if err != nil || b.Plan == nil {
		return nil, err
	}
	b.Holds = true
	return s.settle(tx, b, now)
}

// followPlaces makes the picture in memory follow the places that were given.
func (s *Scheduler) followPlaces(all []granted) {
	for _, g := range all {
		if g.after != nil {
			s.apply(g.build, g.after)
		}
		s.hub.tell(g.build)
	}
	if len(all) > 0 {
		s.wakeDispatcher()
	}
}

// catchUp queues the jobs of a build that was given its place after its plan was committed, and before its jobs were in the
// picture.
func (s *Scheduler) catchUp(b *Build) {
	if b.Group == "" {
		return
	}
	jobs, err := s.Jobs(b.ID())
	if err != nil {
		s.log.Error("reading the jobs of a build in a concurrency group", "build", b.ID(), "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range jobs {
		if e := s.queue.get(b.ID(), jobs[i].ID); e != nil && e.state == JobBlocked && jobs[i].State == JobQueued {
			s.queue.wait(e, time.Now(), time.Time{})
		}
	}
}

// GroupWait is what a build waits for that has no place in its concurrency group.
type GroupWait struct {
	Group  string
	Before string // id of the build whose end is waited for, the first of them
	Holds  bool   // that one has a place; else it only came first
	Others int    // that are before it, too
}

// groupWait tells what a build waits for; nil if not for its group.
func groupWait(tx *bbolt.Tx, b *Build) (*GroupWait, error) {
	if !b.held() || b.Status.Ended() {
		return nil, nil
	}
	all, err := members(tx, b.Group)
	if err != nil {
		return nil, err
	}
	w := &GroupWait{Group: b.Group}
	for _, m := range all {
		switch first := m.row.ID(); {
		case m.row.Seq == b.Seq, !m.row.Holds && m.row.Seq > b.Seq:
		case w.Before == "" || m.row.Holds && !w.Holds:
			if w.Before != "" {
				w.Others++
			}
			w.Before, w.Holds = first, m.row.Holds
		default:
			w.Others++
		}
	}
	return w, nil
}

// String says it to people who may know of the build that is waited for.
func (w *GroupWait) String() string { return w.For(w.Before) }

// For says it with another name for the build that is waited for.
func (w *GroupWait) For(build string) string {
	if w.Before == "" {
		return waitsForGroup + " " + w.Group
	}
	what := "came before it in"
	if w.Holds {
		what = "holds"
	}
	text := fmt.Sprintf("waits for %s, which %s concurrency group %s", build, what, w.Group)
	if w.Others > 0 {
		text += fmt.Sprintf(", and for %d more", w.Others)
	}
	return text
}

// tellGroup says of jobs what they wait for, where that is a place in their build's group.
func tellGroup(tx *bbolt.Tx, build []byte, jobs []Job) error {
	var w *GroupWait
	for i := range jobs {
		if jobs[i].State != JobBlocked || jobs[i].Why != waitsForGroup {
			continue
		}
		if w == nil {
			b, err := get[Build](tx, bucketBuilds, build)
			if err != nil {
				return err
			}
			if w, err = groupWait(tx, b); err != nil || w == nil {
				return err
			}
		}
		jobs[i].Why, jobs[i].For = w.String(), w
	}
	return nil
}
