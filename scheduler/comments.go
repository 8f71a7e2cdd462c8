package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
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
