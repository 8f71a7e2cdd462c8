package scheduler

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
)

// pollDelivery begins the delivery of a trigger that a look at a remote made.
const pollDelivery = "poll/"

// noCommit stands for no commit, in what a push was before.
const noCommit = "0000000000000000000000000000000000000000"

// polled tells whether a look at the remote made the trigger.
func (t *Trigger) polled() bool { return strings.HasPrefix(t.Delivery, pollDelivery) }

// Look is a look at a remote that several projects may share. It is begun before the remote is asked.
type Look struct {
	projects []string
	url      string
	began    uint64 // the newest trigger then
}

// BeginLook begins a look at the remote of projects that have this address.
func (s *Scheduler) BeginLook(projects []string, url string) (Look, error) {
	l := Look{projects: slices.Sorted(slices.Values(projects)), url: url}
	err := s.db.View(func(tx *bbolt.Tx) error {
		l.began = newestTrigger(tx)
		return nil
	})
	return l, err
}

// EndLook takes in which commits the remote's branches and tags are at, by their full names. What is new becomes a trigger,
// once, whatever dies meanwhile: it is committed together with what is known of its ref. To a project that was not
// looked at before, nothing is new. It returns how many triggers were made.
//
// What a webhook has told since the look began is newer than what the look saw, so such refs are left to the next look.
func (s *Scheduler) EndLook(ctx context.Context, l Look, seen map[string]string) (made int, err error) {
	moved := make(map[string][]string) // projects by ref
	for _, project := range l.projects {
		refs, err := s.compare(l, project, seen)
		if err != nil {
			return 0, fmt.Errorf("comparing the refs of project %s: %w", project, err)
		}
		for _, ref := range refs {
			moved[ref] = append(moved[ref], project)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(moved)) {
		if err := ctx.Err(); err != nil {
			return made, context.Cause(ctx)
		}
		n, err := s.acceptMoved(ctx, l, ref, seen[ref], moved[ref])
		if err != nil {
			return made, err
		}
		made += n
	}
	return made, nil
}

// compare returns the refs that moved without a trigger, and forgets those that are gone.
func (s *Scheduler) compare(l Look, project string, seen map[string]string) (moved []string, err error) {
	var looked *lookedRow
	var tips map[string]*tipRow
	err = s.db.View(func(tx *bbolt.Tx) error {
		if looked, err = get[lookedRow](tx, bucketLooked, []byte(project)); err != nil {
			return unlessGone(err)
		}
		tips, err = tipsOf(tx, project)
		return err
	})
	if err != nil {
		return nil, err
	}
	if looked == nil || looked.URL != l.url {
		return nil, s.baseline(l, project, seen)
	}
	tidy := make(map[string]string) // ref → the one commit that is left of a row; "" for a ref that is gone
	for ref, row := range tips {
		switch commit, there := seen[ref]; {
		case row.Seq > l.began:
		case !there:
			tidy[ref] = ""
		case slices.Contains(row.Commits, commit) && (len(row.Commits) > 1 || row.Polled != 0 && row.PolledCommit != commit):
			tidy[ref] = commit
		}
	}
	for ref, commit := range seen {
		row := tips[ref]
		if row == nil || row.Seq <= l.began && !slices.Contains(row.Commits, commit) {
			moved = append(moved, ref)
		}
	}
	return moved, s.tidyTips(l, project, tidy)
}

func (s *Scheduler) tidyTips(l Look, project string, tidy map[string]string) error {
	if len(tidy) == 0 {
		return nil
	}
	return s.group.update(func(tx *bbolt.Tx) error {
		for ref, commit := range tidy {
			key := tipKey(project, ref)
			row, err := get[tipRow](tx, bucketTips, key)
			switch {
			case errors.Is(err, ErrNotFound):
				continue
			case err != nil:
				return err
			case row.Seq > l.began:
				continue
			case commit == "":
				err = tx.Bucket(bucketTips).Delete(key)
			default:
				row.Commits = []string{commit}
				if row.PolledCommit != commit {
					row.Polled, row.PolledCommit = 0, ""
				}
				err = put(tx, bucketTips, key, row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// baselineAtOnce bounds the refs of one transaction of a first look: who commits waits meanwhile.
const baselineAtOnce = 2000

// baseline takes all that a first look shows for known. That it was looked at is committed last, with what triggers have told
// since the look began.
func (s *Scheduler) baseline(l Look, project string, seen map[string]string) error {
	if err := s.db.Update(func(tx *bbolt.Tx) error { return forgetTips(tx, project) }); err != nil {
		return err
	}
	for refs := range slices.Chunk(slices.Sorted(maps.Keys(seen)), baselineAtOnce) {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for _, ref := range refs {
				if err := put(tx, bucketTips, tipKey(project, ref), tipRow{Commits: []string{seen[ref]}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	failpoint.Pass("1/refs-known")
	return s.db.Update(func(tx *bbolt.Tx) error {
		if err := put(tx, bucketLooked, []byte(project), lookedRow{URL: l.url}); err != nil {
			return err
		}
		c := tx.Bucket(bucketTriggers).Cursor()
		for k, _ := c.Seek(number(l.began + 1)); k != nil; k, _ = c.Next() {
			t, err := get[Trigger](tx, bucketTriggers, k)
			if err != nil {
				return err
			}
			if t.movesTips() && slices.Contains(t.Projects, project) {
				if err := moveTip(tx, project, t, decodeNumber(k)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// acceptMoved makes the trigger of a ref that moved. Whether it still did is judged again by the commit that stores it.
func (s *Scheduler) acceptMoved(ctx context.Context, l Look, ref, commit string, projects []string) (made int, err error) {
	t := Trigger{
		Kind: KindPush, Projects: projects, Ref: ref, HeadRef: ref, Commit: commit, Before: noCommit, Event: "PUSH",
		Delivery: deliveryOf(l, ref, commit, projects), look: &l,
	}
	if strings.HasPrefix(ref, "refs/tags/") {
		t.Kind = KindTag
	}
	_, created, err := s.Accept(ctx, t)
	switch {
	case errors.Is(err, errToldMeanwhile), errors.Is(err, ErrNotFound): // a project that was removed meanwhile
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("taking in %s at %s: %w", ref, commit, err)
	case created:
		return 1, nil
	}
	return 0, nil
}

// deliveryOf is the same when a look that was cut short is taken in again, and another one for any later look that shows
// something new, because there are more triggers by then.
func deliveryOf(l Look, ref, commit string, projects []string) string {
	sum := sha256.Sum256([]byte(ref + "\x00" + commit + "\x00" + strings.Join(projects, "\x00")))
	return fmt.Sprintf("%s%d/%x", pollDelivery, l.began, sum[:8])
}

// errToldMeanwhile ends the transaction of a trigger that a webhook has made since the remote was asked.
var errToldMeanwhile = errors.New("a webhook told the same meanwhile")

// stillMoved keeps those projects of a look's trigger for which its ref has not been told of since the look began, and fills
// in where the ref was before.
func stillMoved(tx *bbolt.Tx, t *Trigger) error {
	if t.look == nil {
		return nil
	}
	var left []string
	t.Before = noCommit
	for _, name := range t.Projects {
		row, err := get[tipRow](tx, bucketTips, tipKey(name, t.Ref))
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		case row.Seq > t.look.began || slices.Contains(row.Commits, t.Commit):
			continue
		case len(row.Commits) > 0:
			t.Before = row.Commits[len(row.Commits)-1]
		}
		left = append(left, name)
	}
	if len(left) == 0 {
		return errToldMeanwhile
	}
	t.Projects, t.look = left, nil
	return nil
}

// judgeTips holds a trigger against what is known of its ref, and returns the trigger that told the same before.
func (s *Scheduler) judgeTips(tx *bbolt.Tx, t *Trigger) (before *Trigger, err error) {
	if err := stillMoved(tx, t); err != nil {
		return nil, err
	}
	return saidBefore(tx, t, func(project string) bool { return s.asksWho(tx, project) })
}

// asksWho tells whether a project's filters ask who pushed.
func (s *Scheduler) asksWho(tx *bbolt.Tx, project string) bool {
	p, err := s.projectIn(tx, project)
	return err == nil && p != nil && slices.ContainsFunc(p.Filters, func(group config.FilterGroup) bool {
		return slices.ContainsFunc(group, func(x config.Filter) bool { return x.Type == config.FilterActor })
	})
}

// KeepLooks forgets what looks showed of projects that are not among these: gone, or not looked at any more.
func (s *Scheduler) KeepLooks(projects []string) error {
	var gone []string
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLooked).ForEach(func(k, _ []byte) error {
			if !slices.Contains(projects, string(k)) {
				gone = append(gone, string(k))
			}
			return nil
		})
	})
	for _, name := range gone {
		err = errors.Join(err, s.db.Update(func(tx *bbolt.Tx) error { return forgetTips(tx, name) }))
	}
	return err
}
