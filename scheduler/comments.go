package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/secrets"
)

// thread is the place of a comment: one pull request of a project.
type thread struct {
	Project string `json:"project"`
	Number  int    `json:"number"`
}

func (t thread) key() []byte { return []byte(t.Project + "\x00" + strconv.Itoa(t.Number)) }

// commentRow is what is known of the comment on a pull request.
type commentRow struct {
	ID    string `json:"id,omitempty"` // the forge's; "" where there is none, or it is not known
	Build int    `json:"build"`        // number of the newest build that has ended, of which it tells
}

// dueComment has a pull request's comment written or changed, once a build of it has ended.
func (s *Scheduler) dueComment(tx *bbolt.Tx, p *config.Project, b *Build) error {
	th := thread{b.Project, b.PullRequest}
	row, err := commentOf(tx, th)
	if err != nil || row.Build > b.Number || p.APIToken() == "" {
		return err
	}
	row.Build = b.Number
	body, err := json.Marshal(th)
	if err != nil {
		return err
	}
	return errors.Join(
		put(tx, bucketComments, th.key(), row),
		s.outbox.Put(tx, outbox.Item{Kind: ItemComment, Key: string(th.key()), Lane: laneOf(p.URL), Project: p.Name, Build: b.ID(), Body: body}))
}

func commentOf(tx *bbolt.Tx, th thread) (*commentRow, error) {
	row, err := get[commentRow](tx, bucketComments, th.key())
	if errors.Is(err, ErrNotFound) {
		return &commentRow{}, nil
	}
	return row, err
}

// CommentDue is the comment on a pull request that is to be written or changed.
type CommentDue struct {
	Project string
	Number  int // of the pull request
	ID      string
	Build   Build // without its plan
	Trigger Trigger
}

// CommentDue reads what an item of the kind ItemComment is about. Its error wraps ErrNotFound where nothing is left to be
// told.
func (s *Scheduler) CommentDue(it outbox.Item) (*CommentDue, error) {
	var th thread
	if err := json.Unmarshal(it.Body, &th); err != nil {
		return nil, fmt.Errorf("reading an item of the outbox (%v): %w", err, ErrNotFound)
	}
	due := &CommentDue{Project: th.Project, Number: th.Number}
	err := s.db.View(func(tx *bbolt.Tx) error {
		row, err := commentOf(tx, th)
		if err != nil {
			return err
		}
		b, err := get[Build](tx, bucketBuilds, buildKey(th.Project, row.Build))
		if err != nil {
			return err
		}
		due.ID, due.Build = row.ID, *b
		return readTrigger(tx, b.Trigger, &due.Trigger)
	})
	if err != nil {
		return nil, fmt.Errorf("the comment on pull request %d of %s: %w", th.Number, th.Project, err)
	}
	return due, nil
}

// CommentWritten notes which comment is ours.
func (s *Scheduler) CommentWritten(due *CommentDue, id string) error {
	th := thread{due.Project, due.Number}
	return s.group.update(func(tx *bbolt.Tx) error {
		row, err := commentOf(tx, th)
		if err != nil || row.ID == id {
			return err
		}
		row.ID = id
		row.Build = max(row.Build, due.Build.Number)
		return put(tx, bucketComments, th.key(), row)
	})
}

// dropComment forgets the comment that tells of a build. A later one of the same pull request finds it by its marker.
func dropComment(tx *bbolt.Tx, b *Build) error {
	if b.PullRequest == 0 {
		return nil
	}
	th := thread{b.Project, b.PullRequest}
	row, err := commentOf(tx, th)
	if err != nil || row.Build != b.Number {
		return err
	}
	return tx.Bucket(bucketComments).Delete(th.key())
}

// MayHoldSecrets tells whether a job of a build was given a parameter, a secret or git credentials, which its report files
// may then have in clear. What cannot be known counts as yes.
func (s *Scheduler) MayHoldSecrets(ctx context.Context, build string) bool {
	key, err := keyOf(build)
	if err != nil {
		return true
	}
	var b *Build
	var t Trigger
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b, err = s.load(tx, key); err != nil {
			return err
		}
		return readTrigger(tx, b.Trigger, &t)
	})
	if err != nil {
		return true
	}
	p, err := s.Project(b.Project)
	switch {
	case b.Fork || b.Plan == nil:
		return false // a stranger's job is given none, and without a plan no job ran
	case err != nil:
		return true
	}
	return slices.ContainsFunc(b.Plan.Jobs, func(pj buildspec.Job) bool { return s.holdsSecrets(ctx, &p, b, &t, &pj) })
}

func (s *Scheduler) holdsSecrets(ctx context.Context, p *Project, b *Build, t *Trigger, pj *buildspec.Job) bool {
	vars, err := s.wanted(p, b, t, pj)
	if err != nil || gitCredentials(p, b, pj, "any") != nil {
		return true
	}
	last := winners(vars)
	for i, v := range vars {
		if v.sealed != nil && last[v.name] == i && !errors.Is(s.askVault(ctx, b, v.sealed.ref), secrets.ErrForbidden) {
			return true
		}
	}
	return false
}
