package scheduler

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

// A job's success is proof for the same job of a later push: of one whose key is the same. The rules:
//
//  1. The key is computed when the job is planned, and once more when its attempt starts and when that has ended: what
//     changed on the way leaves no proof.
//  2. What can be no proof has no key, and what turns out to be none loses it: Job.Key of an ended job is set exactly
//     where the index has the job, which the commit of its result sees to.
//  3. A push takes a result in the commit of its plan, after logs, artifacts and reports were shared under ids of its own:
//     to forget either build takes nothing from the other. Sharing again changes nothing.

// Proof is by whom and when a result was had that a push took.
type Proof struct {
	Build string      `json:"build"`
	Kind  TriggerKind `json:"kind"`         // of that build's trigger
	By    string      `json:"by,omitempty"` // who started it
	At    time.Time   `json:"at"`           // the job's end
}

// proofRow is a result that is proof.
type proofRow struct {
	Index   int         `json:"index"` // of the job in its plan
	At      time.Time   `json:"at"`
	Trusted bool        `json:"trusted,omitempty"`
	Kind    TriggerKind `json:"kind"`
	By      string      `json:"by,omitempty"`
}

// mayProve tells whether jobs of a build can be proof: it was asked for as its project is set up, is no stranger's, is told of
// no pushed image, and is no retry of failed jobs, which leaves out the tests that passed before.
func mayProve(p *Project, t *Trigger, b *Build) bool {
	return p.TakesResults() && !b.Fork && !t.Fork && !t.FailedOnly && t.Image == nil && !t.Override.changes(&p.Project)
}

// takesResults tells whether a build takes the results of earlier ones: it is a push, or a pull request from the same
// repository; of a tag or a release where the project says so.
func takesResults(p *Project, t *Trigger, b *Build) bool {
	if !mayProve(p, t, b) {
		return false
	}
	tag := strings.HasPrefix(b.Ref, "refs/tags/")
	switch t.Kind {
	case KindPush, KindPullRequest:
		return !tag || p.GreenTags
	case KindTag, "release":
		return p.GreenTags
	}
	return false
}

// convinces tells whether a result counts for a build. What an untrusted build left is what somebody could make who may
// submit and not push: it counts for a trusted one only if its submitter is named in the project's settings. A retry is
// not a submit: the tree is one person's, and the caches are another's.
func (r *proofRow) convinces(p *Project, b *Build, now time.Time) bool {
	if age := now.Sub(r.At); age < 0 || age > p.ResultAge() {
		return false
	}
	if !b.Trusted || r.Trusted {
		return true
	}
	return p.GreenBeforePush == config.GreenOn && r.Kind == KindSubmit && slices.Contains(p.GreenFrom, r.By)
}

// proofIn is the word in bucketProofs for a key.
func proofIn(project, key string) string { return project + "\x00" + key }

// recordProof puts a job that has just ended into the index, or takes its key away. fresh is its key as it is now.
func recordProof(tx *bbolt.Tx, b *Build, index int, j *Job, fresh string) error {
	if j.Status != Succeeded || j.TakenFrom != "" || fresh != j.Key {
		j.Key = ""
	}
	if j.Key == "" {
		return nil
	}
	seq, err := triggerSeq(b.Trigger)
	if err != nil {
		return err
	}
	t, err := get[Trigger](tx, bucketTriggers, number(seq))
	if err != nil {
		return err
	}
	row := proofRow{Index: index, At: j.EndedAt, Trusted: b.Trusted, Kind: t.Kind, By: t.Actor}
	return put(tx, bucketProofs, indexKey(proofIn(b.Project, j.Key), uint64(b.Number)), row)
}

// dropProof removes the entry of a job that is forgotten.
func dropProof(tx *bbolt.Tx, job []byte) error {
	j, err := get[struct{ Build, Key string }](tx, bucketJobs, job)
	if err != nil || j.Key == "" {
		return err
	}
	project, n, err := ParseBuildID(j.Build)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketProofs).Delete(indexKey(proofIn(project, j.Key), uint64(n)))
}

// freshKey is the key of a job whose attempt succeeded, as it is now; "" where it can be no proof.
func (s *Scheduler) freshKey(ctx context.Context, e *entry, status Status) string {
	if status != Succeeded {
		return ""
	}
	key, err := keyOf(e.build)
	if err != nil {
		return ""
	}
	var b *Build
	var j *Job
	err = s.db.View(func(tx *bbolt.Tx) error {
		if j, err = findJob(tx, key, e.index, e.job); err == nil && j.Key != "" {
			b, err = s.load(tx, key)
		}
		return err
	})
	if err != nil || b == nil {
		return ""
	}
	return s.keyNow(ctx, b, e.index)
}

// keyNow computes the key of a planned job from what the settings and the secret store say now.
func (s *Scheduler) keyNow(ctx context.Context, b *Build, index int) string {
	p, err := s.Project(b.Project)
	if err != nil {
		return ""
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil || !mayProve(&p, &t, b) {
		return ""
	}
	keys, err := s.keysOf(&p, &t, b)
	if err != nil {
		return ""
	}
	key, proves := keys.key(ctx, &b.Plan.Jobs[index])
	if !proves {
		return ""
	}
	return key
}

// keepKey takes the key from a job that starts with other settings than it was planned with.
func (s *Scheduler) keepKey(ctx context.Context, b *Build, j *Job) error {
	if j.Key == "" {
		return nil
	}
	index := b.indexed().at[j.ID]
	if s.keyNow(ctx, b, index) == j.Key {
		return nil
	}
	return s.voidProof(b, index, j.ID)
}

// voidProof notes that the success of a job will prove nothing.
func (s *Scheduler) voidProof(b *Build, index int, id string) error {
	key := buildKey(b.Project, b.Number)
	return s.db.Update(func(tx *bbolt.Tx) error {
		j, err := findJob(tx, key, index, id)
		if err != nil || j.Key == "" || j.State == JobEnded {
			return err
		}
		j.Key = ""
		return putJob(tx, key, index, j)
	})
}

// excused notes that a job is green only because failures in quarantine do not count.
func (a *attemptTests) excused(why string) error {
	if why == "" || a.planned == "" {
		return nil
	}
	return a.s.voidProof(a.build, a.build.indexed().at[a.planned], a.planned)
}
