package scheduler

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
)

// A sandbox whose job failed is kept for people to look into (OpenShell). These are the rules:
//
//  1. That it is kept is a part of its row, committed with the result. Its job holds no slot, and what ran in it is ended:
//     by whoever committed the result, or by the keeper of a later daemon.
//  2. While somebody is in it, its container runs. When the last one leaves it is ended again, and its time is prolonged. A daemon
//     that starts knows of nobody, so it ends what runs.
//  3. The keeper removes it when its time is over, when its project has too many, when its build is forgotten, and when the disk
//     is short of space. The container goes first: one that is there has all that belongs to it.

// kept is what the row of a kept sandbox has besides its own.
type kept struct {
	Attempt int       `json:"attempt"` // its number
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Bytes   int64     `json:"bytes,omitempty"` // that it takes of the disk; 0: not measured since somebody was in it
}

// maxKept bounds the kept sandboxes of one project: a batch of hundreds that all fail says in a few what it says in all.
const maxKept = 16

// KeptSandbox tells of a sandbox that is kept.
type KeptSandbox struct {
	Attempt int
	Since   time.Time
	Until   time.Time
	Bytes   int64
	Inside  int // people who are in it
}

// keeps decides, within the commit of a result that ends a job, whether its sandbox is kept. It is not for a stranger's: their
// pull requests would push out what others keep.
func (s *Scheduler) keeps(tx *bbolt.Tx, b *Build, j *Job, a *Attempt, span time.Duration, now time.Time) (*sandboxRow, error) {
	if span <= 0 || (a.Status != Failed && a.Status != TimedOut) || !a.Sent || b.Fork || s.runner == nil || s.runner.CanShell(a.Engine) != nil {
		return nil, nil
	}
	if pj, err := planJob(b, j.ID); err != nil || pj.Privileged {
		return nil, nil
	}
	row, err := get[sandboxRow](tx, bucketSandboxes, []byte(a.Sandbox))
	if err != nil {
		return nil, nil // which is Check's business
	}
	row.Kept = &kept{Attempt: a.Number, Since: now, Until: now.Add(span)}
	return row, put(tx, bucketSandboxes, []byte(row.ID), row)
}

// keepSpan is how long the sandbox of a job is kept should it fail; 0 is not at all.
func (s *Scheduler) keepSpan(e *entry) time.Duration {
	p, err := s.Project(e.project)
	if err != nil || s.ShortOfSpace() != "" {
		return 0
	}
	return s.config().KeepFailedOf(&p.Project)
}

// keeper is the picture of the kept sandboxes.
type keeper struct {
	mu    sync.Mutex
	boxes map[string]*keptBox // by sandbox id
	kick  chan struct{}

	shells map[string]int // that are open, by sandbox id: those of jobs that run, too
	whose  map[string]int // the same, by who opened them
	people int            // shells in all
}

// keptBox is one of them.
type keptBox struct {
	row    sandboxRow
	turn   sync.Mutex // of whoever starts it, or ends what runs in it
	closed bool       // nothing runs in it; guarded by turn
	guard  func()     // ends the watch over its use of the disk; nil while nobody is in it; guarded by turn
	inside int        // people; this and what follows is guarded by the keeper's mu
	leaves bool       // it is being removed
	doors  []*door    // of those who are inside
}

func newKeeper() *keeper {
	return &keeper{boxes: make(map[string]*keptBox), shells: make(map[string]int), whose: make(map[string]int), kick: make(chan struct{}, 1)}
}

func (k *keeper) add(row sandboxRow) *keptBox {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := &keptBox{row: row}
	k.boxes[row.ID] = b
	return b
}

func (k *keeper) get(id string) *keptBox {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.boxes[id]
}

func (k *keeper) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.boxes, id)
}

// of are the boxes of a build, or of one job of it; of all builds where that is "".
func (k *keeper) of(build, job string) (boxes []*keptBox) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.boxes {
		if (build == "" || b.row.Build == build) && (job == "" || b.row.Job == job) && !b.leaves {
			boxes = append(boxes, b)
		}
	}
	slices.SortFunc(boxes, func(a, b *keptBox) int {
		return cmp.Or(a.row.Kept.Since.Compare(b.row.Kept.Since), cmp.Compare(a.row.ID, b.row.ID))
	})
	return boxes
}

// leave has a box removed, unless somebody is in it or another one removes it already.
func (k *keeper) leave(b *keptBox) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b.inside > 0 || b.leaves || k.boxes[b.row.ID] != b {
		return false
	}
	b.leaves = true
	return true
}

// stays takes that back where it could not be removed.
func (k *keeper) stays(b *keptBox) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b.leaves = false
}

// endAll tells everybody in a sandbox why they have to go.
func (k *keeper) endAll(b *keptBox, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range b.doors {
		select {
		case d.over <- why:
		default:
		}
	}
}

// Kept tells of the sandbox that is kept of a job; false where none is.
func (s *Scheduler) Kept(build, job string) (KeptSandbox, bool) {
	boxes := s.kept.of(build, job)
	if len(boxes) == 0 {
		return KeptSandbox{}, false
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	b := boxes[len(boxes)-1]
	row := b.row.Kept
	return KeptSandbox{Attempt: row.Attempt, Since: row.Since, Until: row.Until, Bytes: row.Bytes, Inside: b.inside}, true
}

// changeKept changes the row of a kept sandbox, and the picture of it.
func (s *Scheduler) changeKept(b *keptBox, change func(*kept)) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		row, err := get[sandboxRow](tx, bucketSandboxes, []byte(b.row.ID))
		if err != nil || row.Kept == nil {
			return err
		}
		change(row.Kept)
		return put(tx, bucketSandboxes, []byte(row.ID), row)
	})
	if err == nil {
		s.kept.mu.Lock()
		defer s.kept.mu.Unlock()
		fresh := *b.row.Kept
		change(&fresh)
		b.row.Kept = &fresh
	}
	return err
}

// keptCommits are the commits whose snapshots lie below kept workspaces.
func (s *Scheduler) keptCommits(tx *bbolt.Tx, commits map[string]bool) error {
	for _, b := range s.kept.of("", "") {
		key, err := keyOf(b.row.Build)
		if err != nil {
			return err
		}
		if build, err := get[Build](tx, bucketBuilds, key); err == nil {
			commits[build.Commit] = true
		}
	}
	return nil
}

// attemptOf is what the sandbox of a job was made with, for it to be opened again. It has nothing that is secret.
func (s *Scheduler) attemptOf(p *Project, l leased, limits runner.Limits) (runner.Attempt, error) {
	pj, err := planJob(l.build, l.job.ID)
	if err != nil {
		return runner.Attempt{}, err
	}
	remote, err := s.remote(p)
	if err != nil {
		return runner.Attempt{}, err
	}
	return runner.Attempt{
		ID: workerID(l.build.ID(), l.job.ID, l.attempt.Number), Sandbox: l.attempt.Sandbox, Image: l.build.Images[pj.Image],
		Source: runner.Checkout{Remote: remote, Commit: l.build.Commit, Ref: l.build.Ref, Depth: p.Depth, Submodules: p.Submodules, Stranger: l.build.Fork},
		Limits: limits, Services: services(l.build, pj, limits), Network: s.networkOf(p, l.build, pj),
	}, nil
}
