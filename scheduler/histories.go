package scheduler

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

const (
	// historyBuilds is how many builds of each project a history has: as many as the strip of a page shows.
	historyBuilds = 30
	// brokenWalk bounds the builds of one ref among which the first that failed is looked for.
	brokenWalk = 200
	// patternRefs bounds the refs that are held against a pattern of protected ones.
	patternRefs = 500
	// brokenDays is how long a protected ref that is not the default branch counts as broken: it may be gone by now.
	brokenDays = 30
	// brokenHours is the same of refs that are not protected.
	brokenHours = 24
)

// Mark is a build in a history.
type Mark struct {
	Number  int       `json:"number"`
	Ref     string    `json:"ref"`
	Commit  string    `json:"commit"`
	Title   string    `json:"title"`
	Author  string    `json:"author"`
	Status  Status    `json:"status"`
	Message string    `json:"message"`
	Created time.Time `json:"created"`
	Started time.Time `json:"started"`
	EndedAt time.Time `json:"ended"`
}

// failed tells whether the build says that its ref is broken. One that was stopped says nothing.
func (m *Mark) failed() bool { return m.Status == Failed || m.Status == TimedOut || m.Status == Fault }

// Broken is a ref whose newest build failed.
type Broken struct {
	Ref       string
	Protected bool
	Newest    Mark
	First     Mark // that failed since the last success
	Unsure    bool // there may be earlier ones: no success was found
}

// History is what the last builds of a project came to.
type History struct {
	Project string
	Recent  []Mark // the newest first
	Default Mark   // the newest of the default branch that has ended, but for being stopped; number 0: there is none
	Broken  []Broken
	Typical time.Duration // what a build took that succeeded; 0: nothing is known
}

// histories keeps what was read until a build of the project changes.
type histories struct {
	mu sync.Mutex
	at Moment
	of map[string]History
}

// Histories returns the history of each project, by name. It reads again those alone of which a build has changed.
func (s *Scheduler) Histories() (map[string]History, error) {
	h := &s.histories
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.ChangedSince(h.at)
	if now.Missed || now.Daemon || h.of == nil {
		h.of = make(map[string]History)
	}
	for _, id := range now.Builds {
		if project, _, err := ParseBuildID(id); err == nil {
			delete(h.of, project)
		}
	}
	var due []*Project
	err := s.EachProject(func(p *config.Project) {
		if _, known := h.of[p.Name]; !known {
			due = append(due, &Project{Project: *p})
		}
	})
	if err == nil && len(due) > 0 {
		err = s.db.View(func(tx *bbolt.Tx) error {
			for _, p := range due {
				one, err := historyOf(tx, p, time.Now())
				if err != nil {
					return err
				}
				h.of[p.Name] = one
			}
			return nil
		})
	}
	if err != nil {
		h.of = nil
		return nil, err
	}
	h.at = now.Now
	out := make(map[string]History, len(h.of))
	for name, one := range h.of {
		out[name] = one
	}
	return out, nil
}

func historyOf(tx *bbolt.Tx, p *Project, now time.Time) (History, error) {
	out := History{Project: p.Name}
	for k := range backwards(tx.Bucket(bucketBuilds), word(p.Name), indexKey(p.Name, noCursor)) {
		m, err := get[Mark](tx, bucketBuilds, k)
		if err != nil {
			return out, err
		}
		if out.Recent = append(out.Recent, *m); len(out.Recent) == historyBuilds {
			break
		}
	}
	out.Typical = typical(out.Recent)
	if len(out.Recent) == 0 {
		return out, nil
	}
	looked := map[string]bool{}
	for _, ref := range protectedRefs(tx, p) {
		looked[ref] = true
		b, newest, err := standing(tx, p.Name, ref)
		if err != nil {
			return out, err
		}
		isDefault := slices.Contains(p.DefaultRefs(), ref)
		if isDefault && newest.Created.After(out.Default.Created) {
			out.Default = newest
		}
		if b != nil && (isDefault || now.Sub(b.Newest.EndedAt) < brokenDays*24*time.Hour) {
			out.Broken = append(out.Broken, *b)
		}
	}
	// Of main and master, where nothing says which is the default branch, the one that was built last is.
	out.Broken = slices.DeleteFunc(out.Broken, func(b Broken) bool {
		return slices.Contains(p.DefaultRefs(), b.Ref) && b.Ref != out.Default.Ref
	})
	out.Broken = append(out.Broken, brokenLately(out.Recent, looked, now)...)
	return out, nil
}

// typical is the median of what builds took that succeeded.
func typical(recent []Mark) time.Duration {
	var took []time.Duration
	for i := range recent {
		if m := &recent[i]; m.Status == Succeeded && !m.Started.IsZero() {
			took = append(took, m.EndedAt.Sub(m.Started))
		}
	}
	return median(took)
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// standing tells what the newest build of a ref says of it.
func standing(tx *bbolt.Tx, project, ref string) (b *Broken, newest Mark, err error) {
	left, in := brokenWalk, refOf(project, ref)
	for k := range backwards(tx.Bucket(bucketRefs), word(in), indexKey(in, noCursor)) {
		m, err := get[Mark](tx, bucketBuilds, buildKey(project, int(decodeNumber(k[len(k)-8:]))))
		if err != nil {
			return nil, newest, err
		}
		switch {
		case m.Status == Succeeded:
			if newest.Number == 0 {
				newest = *m
			} else {
				b.Unsure = false
			}
			return b, newest, nil
		case !m.failed():
		case newest.Number == 0:
			newest = *m
			b = &Broken{Ref: ref, Protected: true, Newest: *m, First: *m, Unsure: true}
		default:
			b.First = *m
		}
		if left--; left == 0 {
			break
		}
	}
	return b, newest, nil
}

// protectedRefs are the refs of a project's builds that it protects, and its default branch.
func protectedRefs(tx *bbolt.Tx, p *Project) (out []string) {
	out = slices.Clone(p.DefaultRefs())
	for _, pattern := range p.Protected {
		if !strings.HasPrefix(pattern, "refs/") {
			pattern = "refs/heads/" + pattern
		}
		literal, _, magic := strings.Cut(pattern, "*")
		if i := strings.IndexAny(literal, `?[\`); i >= 0 {
			literal, magic = literal[:i], true
		}
		if !magic {
			out = append(out, pattern)
			continue
		}
		for _, ref := range refsWith(tx, p.Name, literal) {
			if protects(pattern, ref) {
				out = append(out, ref)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// refsWith are the refs of a project's builds that begin with a prefix.
func refsWith(tx *bbolt.Tx, project, prefix string) (out []string) {
	c, from := tx.Bucket(bucketRefs).Cursor(), []byte(refOf(project, prefix))
	for k, _ := c.Seek(from); bytes.HasPrefix(k, from) && len(out) < patternRefs; {
		ref := string(k[len(project)+1 : len(k)-9])
		out = append(out, ref)
		k, _ = c.Seek(indexKey(refOf(project, ref), noCursor)) // the first of the next ref
	}
	return out
}

// brokenLately are other refs whose newest build failed within the last hours. Who submits a working tree is told of it there.
func brokenLately(recent []Mark, looked map[string]bool, now time.Time) (out []Broken) {
	at := map[string]int{} // ref → place in out
	settled := map[string]bool{}
	for i := range recent {
		m := &recent[i]
		if looked[m.Ref] || settled[m.Ref] || m.Ref == "" || strings.HasPrefix(m.Ref, "refs/runner/") {
			continue
		}
		n, seen := at[m.Ref]
		switch {
		case m.Status == Succeeded, !seen && m.failed() && now.Sub(m.EndedAt) > brokenHours*time.Hour:
			settled[m.Ref] = true
		case m.failed() && seen:
			out[n].First = *m
		case m.failed():
			at[m.Ref] = len(out)
			out = append(out, Broken{Ref: m.Ref, Newest: *m, First: *m})
		}
	}
	return out
}
