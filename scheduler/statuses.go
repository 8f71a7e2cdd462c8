package scheduler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
)

// What forges are told of builds is put into the outbox by the transactions that move the builds. An item names the check, not
// what is to be said of it: that is read from the rows when it is sent, so that the forge is told what is true by then.
//
// Of several builds of one commit the newest speaks. A row for each check says which that is, and what the forge was told last,
// so that nothing is told twice and an older build that ends later does not speak over a newer one.

// The kinds of item that this package puts into the outbox.
const (
	ItemStatus  = "status"
	ItemComment = "comment"
)

// check is one check of a commit: whose it is, and what it is called at the forge.
type check struct {
	Project string `json:"project"`
	Commit  string `json:"commit"`
	Context string `json:"context"`
}

func (c check) key() []byte { return []byte(c.Project + "\x00" + c.Commit + "\x00" + c.Context) }

// Word is what is said of a commit that has no build: it waits for approval, or was skipped.
type Word struct {
	Trigger string `json:"trigger"`
	Passed  bool   `json:"passed"` // else it is pending
	Text    string `json:"text"`   // one line
}

// statusRow is what is known of a check.
type statusRow struct {
	Build int               `json:"build,omitempty"` // number of the newest build of the commit, which speaks
	Stage string            `json:"stage,omitempty"` // of that build, when an item was last put
	Word  *Word             `json:"word,omitempty"`  // while there is no build
	Told  map[string]string `json:"told,omitempty"`  // name of a status → what the forge was told last
}

// event is what a build's statuses may be called after, "" where the build tells no forge anything: one that was started with
// other settings than the project's proves nothing about its commit, one that a pushed image started speaks of that image
// and is made by who may push no commit, and a laptop's commit is not at the forge.
func event(p *config.Project, t *Trigger) string {
	switch {
	case t.Kind == KindSubmit, t.Image != nil, strings.HasPrefix(t.Ref, "refs/runner/"), t.Override.changes(p):
		return ""
	case t.PullRequest > 0:
		return string(KindPullRequest)
	case strings.HasPrefix(t.Ref, "refs/tags/"):
		return string(KindTag)
	}
	return string(KindPush)
}

// stage is how far a build has come, as far as a status of it tells.
func stage(b *Build) string {
	switch {
	case b.Status.Ended():
		return string(b.Status)
	case !b.Started.IsZero():
		return "running"
	case b.Plan != nil:
		return "queued"
	}
	return "planning"
}

// dueStatuses is dueStatus for the builds that a trigger has made.
func (s *Scheduler) dueStatuses(tx *bbolt.Tx, builds []Build) error {
	for i := range builds {
		if err := s.dueStatus(tx, &builds[i]); err != nil {
			return err
		}
	}
	return nil
}

// dueStatus has the forge told of a build whose row has just been stored, if that is news and its project wants it.
func (s *Scheduler) dueStatus(tx *bbolt.Tx, b *Build) error { return s.tellStatus(tx, b, false) }

// tellStatus is dueStatus, with news also for a build that has come no further.
func (s *Scheduler) tellStatus(tx *bbolt.Tx, b *Build, news bool) error {
	if b.Tells == "" || b.Commit == "" {
		return nil
	}
	p, err := s.projectIn(tx, b.Project)
	if p == nil || err != nil {
		return err
	}
	if b.Status.Ended() && b.PullRequest > 0 && p.Comments() {
		if err := s.dueComment(tx, p, b); err != nil {
			return err
		}
	}
	if !tellsForge(p) {
		return nil
	}
	c := check{b.Project, b.Commit, p.Status.ContextOf(p.Name, b.Tells)}
	row, err := statusRowOf(tx, c.key())
	if err != nil || row.Build > b.Number {
		return err
	}
	now := stage(b)
	if row.Build == b.Number && row.Stage == now && p.Status.Per != config.StatusPerJob && !news {
		return nil
	}
	row.Build, row.Stage, row.Word = b.Number, now, nil
	return s.putStatus(tx, p, c, row, b.ID())
}

// tellsForge tells whether a project wants its forge told of builds, and has what that takes.
func tellsForge(p *config.Project) bool { return p.Status.Wanted() && p.APIToken() != "" }

// dueWord has the forge told of a commit that has no build, and may get none: that it waits, or that there was nothing to
// build, which passes a check that is required. Where a build of the commit has spoken, that stands; and so does that another
// trigger of the commit waits for approval, or a push which changes little would pass the request that nobody has looked at.
// Nor does a command in a comment, which anybody can write, take back that a check has passed.
func (s *Scheduler) dueWord(tx *bbolt.Tx, p *config.Project, t *Trigger, passed bool, text string) error {
	name := event(p, t)
	if name == "" || t.Commit == "" || !tellsForge(p) {
		return nil
	}
	c := check{p.Name, t.Commit, p.Status.ContextOf(p.Name, name)}
	row, err := statusRowOf(tx, c.key())
	if err != nil || row.Build > 0 {
		return err
	}
	if w := row.Word; w != nil && (t.Kind == KindComment && !passed && w.Passed || passed && !w.Passed && w.Trigger != t.ID) {
		return nil
	}
	row.Word = &Word{Trigger: t.ID, Passed: passed, Text: firstLine(text)}
	return s.putStatus(tx, p, c, row, "")
}

// dueWaiting is dueWord for a trigger that waits for approval.
func (s *Scheduler) dueWaiting(tx *bbolt.Tx, t *Trigger) error {
	for _, name := range t.Projects {
		p, err := s.projectIn(tx, name)
		if err != nil {
			return err
		}
		if p != nil {
			if err := s.dueWord(tx, p, t, false, "waits for approval by a maintainer (runner approve "+t.ID+")"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Scheduler) putStatus(tx *bbolt.Tx, p *config.Project, c check, row *statusRow, build string) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return errors.Join(
		put(tx, bucketStatuses, c.key(), row),
		s.outbox.Put(tx, outbox.Item{Kind: ItemStatus, Key: string(c.key()), Lane: laneOf(p.URL), Project: c.Project, Build: build, Body: body}))
}

func statusRowOf(tx *bbolt.Tx, key []byte) (*statusRow, error) {
	row, err := get[statusRow](tx, bucketStatuses, key)
	if errors.Is(err, ErrNotFound) {
		return &statusRow{}, nil
	}
	return row, err
}

// laneOf is the host of a repository: what is told to one waits for nobody else's.
func laneOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	_, rest, found := strings.Cut(address, "@")
	if !found {
		rest = address
	}
	host, _, _ := strings.Cut(rest, ":")
	return host
}

// projectIn returns a project's settings within a transaction, nil where there is no such project any more.
func (s *Scheduler) projectIn(tx *bbolt.Tx, name string) (*config.Project, error) {
	cfg := s.config()
	for i := range cfg.Projects {
		if cfg.Projects[i].Name == name {
			return &cfg.Projects[i], nil
		}
	}
	p, err := get[config.Project](tx, bucketProjects, []byte(name))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return p, err
}

// StatusDue is a check of a commit that the forge is to be told of.
type StatusDue struct {
	Project, Commit, Context string

	Build   *Build // the newest of the commit, without its plan; nil: Word
	Word    *Word
	Trigger Trigger           // of the build, or of the word
	Told    map[string]string // name of a status → what the forge was told last
}

// StatusDue reads what an item of the kind ItemStatus is about. Its error wraps ErrNotFound where nothing is left to be told.
func (s *Scheduler) StatusDue(it outbox.Item) (*StatusDue, error) {
	var c check
	if err := json.Unmarshal(it.Body, &c); err != nil {
		return nil, fmt.Errorf("reading an item of the outbox (%v): %w", err, ErrNotFound)
	}
	due := &StatusDue{Project: c.Project, Commit: c.Commit, Context: c.Context}
	err := s.db.View(func(tx *bbolt.Tx) error {
		row, err := get[statusRow](tx, bucketStatuses, c.key())
		if err != nil {
			return err
		}
		due.Word, due.Told = row.Word, row.Told
		trigger := ""
		if row.Build > 0 {
			if due.Build, err = get[Build](tx, bucketBuilds, buildKey(c.Project, row.Build)); err != nil {
				return err
			}
			trigger = due.Build.Trigger
		} else if row.Word != nil {
			trigger = row.Word.Trigger
		}
		return readTrigger(tx, trigger, &due.Trigger)
	})
	if err != nil {
		return nil, fmt.Errorf("the status %s of %s: %w", c.Context, c.Commit, err)
	}
	return due, nil
}

func readTrigger(tx *bbolt.Tx, id string, into *Trigger) error {
	seq, err := triggerSeq(id)
	if err != nil {
		return err
	}
	t, err := get[Trigger](tx, bucketTriggers, number(seq))
	if err == nil {
		*into = *t
	}
	return err
}

// StatusTold notes that the forge was told something under a status's name.
func (s *Scheduler) StatusTold(due *StatusDue, name, what string) error {
	c := check{due.Project, due.Commit, due.Context}
	return s.group.update(func(tx *bbolt.Tx) error {
		row, err := get[statusRow](tx, bucketStatuses, c.key())
		if err != nil {
			return unlessGone(err)
		}
		if row.Told == nil {
			row.Told = make(map[string]string)
		}
		row.Told[name] = what
		return put(tx, bucketStatuses, c.key(), row)
	})
}

// dropStatuses removes what is known of a commit's checks of which a build, or a trigger, was the last to speak.
func dropStatuses(tx *bbolt.Tx, project, commit string, last func(*statusRow) bool) error {
	prefix := []byte(project + "\x00" + commit + "\x00")
	var gone [][]byte
	c := tx.Bucket(bucketStatuses).Cursor()
	for k, raw := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, raw = c.Next() {
		var row statusRow
		if err := json.Unmarshal(raw, &row); err != nil || last(&row) {
			gone = append(gone, bytes.Clone(k))
		}
	}
	for _, k := range gone {
		if err := tx.Bucket(bucketStatuses).Delete(k); err != nil {
			return err
		}
	}
	return nil
}
