package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
)

// maxProofs bounds how many results of one key are looked at, the newest first.
const maxProofs = 100

// sharesAtOnce bounds the results whose files are shared at a time.
const sharesAtOnce = 32

// proveJobs gives a build's jobs their keys, and those that a former result is proof for that result.
func (s *Scheduler) proveJobs(ctx context.Context, p *Project, t *Trigger, b *Build, jobs []Job) {
	if !mayProve(p, t, b) {
		return
	}
	maker, err := s.keysOf(p, t, b)
	if err != nil {
		s.log.Warn("what settings reach the jobs of a build cannot be told, so that they prove nothing, and all run", "build", b.ID(), "error", err)
		return
	}
	keys := make([]string, len(jobs))
	for i := range jobs {
		if jobs[i].State == JobEnded {
			continue // taken over, or refused
		}
		key, proves := maker.key(ctx, &b.Plan.Jobs[i])
		if keys[i] = key; proves {
			jobs[i].Key = key
		}
	}
	if !takesResults(p, t, b) {
		return
	}
	found, err := s.findProofs(p, b, keys, time.Now())
	if err != nil {
		s.log.Warn("looking for results of the same tree; all jobs run", "build", b.ID(), "error", err)
		return
	}
	leaveUnfounded(b, found)
	s.carry(ctx, b, found)
	leaveUnfounded(b, found)
	taken := 0
	for i := range found {
		if found[i] != nil {
			jobs[i] = *found[i]
			taken++
		}
	}
	if taken > 0 {
		s.log.Info("results of the same tree are taken", "build", b.ID(), "jobs", taken, "of", len(jobs))
	}
	failpoint.Pass("2/results-shared")
}

// findProofs finds, by the place of a job, the result that is proof for it.
func (s *Scheduler) findProofs(p *Project, b *Build, keys []string, now time.Time) (found []*Job, err error) {
	found = make([]*Job, len(keys))
	err = s.db.View(func(tx *bbolt.Tx) error {
		for i, key := range keys {
			if key == "" {
				continue
			}
			if found[i], err = findProof(tx, p, b, key, now); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// findProof finds the newest result of a key that counts for a build, as the build's own job.
func findProof(tx *bbolt.Tx, p *Project, b *Build, key string, now time.Time) (*Job, error) {
	in, left := proofIn(b.Project, key), maxProofs
	for k := range backwards(tx.Bucket(bucketProofs), word(in), indexKey(in, noCursor)) {
		if left--; left < 0 {
			return nil, nil
		}
		row, err := get[proofRow](tx, bucketProofs, k)
		if err != nil {
			return nil, err
		}
		n := int(decodeNumber(k[len(k)-8:]))
		if n == b.Number || !row.convinces(p, b, now) {
			continue
		}
		j, err := get[Job](tx, bucketJobs, jobKey(buildKey(b.Project, n), row.Index))
		if errors.Is(err, ErrNotFound) {
			continue // an older binary forgot the build
		}
		if err != nil {
			return nil, err
		}
		if j.Key == key && j.Status == Succeeded && len(j.Attempts) > 0 {
			j.TakenFrom, j.Proof = j.Build, &Proof{Build: j.Build, Kind: row.Kind, By: row.By, At: row.At}
			j.Build, j.Key = b.ID(), ""
			return j, nil
		}
	}
	return nil, nil
}

// leaveUnfounded leaves out results that stand on something which is done anew: of jobs that depend on one that runs, which
// may leave something else outside of it this time, and of shards that divided the tests with others than these.
func leaveUnfounded(b *Build, found []*Job) {
	from, whole := "", true
	for i := range b.Plan.Jobs {
		if b.Plan.Jobs[i].Shards < 2 {
			continue
		}
		if found[i] == nil || from != "" && found[i].TakenFrom != from {
			whole = false
			break
		}
		from = found[i].TakenFrom
	}
	at := b.indexed().at
	for changed := true; changed; {
		changed = false
		for i := range b.Plan.Jobs {
			if found[i] == nil {
				continue
			}
			founded := whole || b.Plan.Jobs[i].Shards < 2
			for _, id := range b.Plan.Jobs[i].DependsOn {
				on, known := at[id]
				founded = founded && known && found[on] != nil
			}
			if !founded {
				found[i], changed = nil, true
			}
		}
	}
}

// carry shares logs, artifacts and reports of the results that are taken, and leaves out those that lack some of it.
func (s *Scheduler) carry(ctx context.Context, b *Build, found []*Job) {
	group := errgroup.Group{}
	group.SetLimit(sharesAtOnce)
	for i := range found {
		if found[i] == nil {
			continue
		}
		group.Go(func() error {
			if err := s.shareAttempts(ctx, b, found[i]); err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					s.log.Warn("a result of the same tree could not be taken; its job runs", "build", b.ID(), "job", found[i].ID, "error", err)
				}
				found[i] = nil
			}
			return nil
		})
	}
	_ = group.Wait()
}

// SharedBelow is what the ids begin with under which a build has what others left in the artifact store. No job can be
// called so.
func (b *Build) SharedBelow() string { return fmt.Sprintf("%s/%d/@shared/", b.Project, b.Number) }

// shareAttempts gives what a job's attempts left ids of the build's own. Of the last attempt all must be there; of those
// before it, what is.
func (s *Scheduler) shareAttempts(ctx context.Context, b *Build, j *Job) error {
	project, n, err := ParseBuildID(j.TakenFrom)
	if err != nil {
		return err
	}
	was := fmt.Sprintf("%s/%d/", project, n)
	rename := func(id string) string { return b.SharedBelow() + strings.TrimPrefix(id, was) }
	for i := range j.Attempts {
		a := &j.Attempts[i]
		err := s.share(ctx, a.shares(rename))
		if last := i == len(j.Attempts)-1; err != nil && (last || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		a.rename(rename)
	}
	return nil
}

func (s *Scheduler) share(ctx context.Context, shares []artifacts.Share) error {
	if s.runner == nil || s.runner.Artifacts == nil {
		return errors.New("there is no artifact store")
	}
	return s.runner.Artifacts.Share(ctx, shares)
}

// shares is all that an attempt left in the artifact store, each with its further id.
func (a *Attempt) shares(rename func(string) string) []artifacts.Share {
	all := []artifacts.Share{{From: a.Log, To: rename(a.Log), Log: true}}
	for _, id := range a.blobs()[1:] {
		if id != "" {
			all = append(all, artifacts.Share{From: id, To: rename(id)})
		}
	}
	return all
}

// rename has an attempt's row name what it left by other ids.
func (a *Attempt) rename(as func(string) string) {
	a.Log = as(a.Log)
	if a.Set != "" {
		a.Set = as(a.Set)
	}
	for name, id := range a.Secondary {
		a.Secondary[name] = as(id)
	}
	if a.Reports != nil && a.Reports.Set != "" {
		a.Reports.Set = as(a.Reports.Set)
	}
}

// allTaken tells whether nothing of a build is left to be done, because all its results were had before.
func allTaken(jobs []Job) bool {
	for i := range jobs {
		if jobs[i].Proof == nil {
			return false
		}
	}
	return len(jobs) > 0
}
