package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
)

// KindNotice is the outbox's kind for notifications of how builds ended.
const KindNotice = "notice"

// What a notice tells of.
const (
	NoticeFailure  = "failure"
	NoticeRecovery = "recovery"
	NoticeSuccess  = "success"
	NoticeStopped  = "stopped"
)

// Notice is the body of an item of KindNotice. What it says of the build is read when it is sent.
type Notice struct {
	Name     string `json:"name"`          // of the notification
	Own      bool   `json:"own,omitempty"` // it is the project's own, not the daemon's
	Event    string `json:"event"`         // NoticeFailure, …
	Was      Status `json:"was,omitempty"` // of the build before it on the same ref
	WasBuild string `json:"wasBuild,omitempty"`
}

// dueOfEnd notes who is to be told that a build ended, besides the forge, which is told of each step. It is committed with the end,
// whichever way a build comes to it.
func (s *Scheduler) dueOfEnd(tx *bbolt.Tx, b *Build) error {
	return errors.Join(s.dueTrace(tx, b.ID(), -1), s.dueNotices(tx, b))
}

// dueNotices has those told who want to know that a build ended this way. It is committed with the end.
func (s *Scheduler) dueNotices(tx *bbolt.Tx, b *Build) error {
	daemons := s.config().Notifications
	p, err := s.projectIn(tx, b.Project)
	if p == nil {
		p = &config.Project{Name: b.Project} // it was removed
	}
	if err != nil || len(daemons)+len(p.Notifications) == 0 {
		return err
	}
	t, err := triggerOf(tx, b)
	if err != nil {
		return err
	}
	kind := saidKind(t, b)
	for own, list := range [][]config.Notification{daemons, p.Notifications} {
		for i := range list {
			if n := &list[i]; n.Wants(b.Project, kind, b.Ref) {
				if err := s.dueNotice(tx, n, own == 1, b); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dueNotice is dueNotices for one notification that wants to know of such builds, if it wants to know of this end.
func (s *Scheduler) dueNotice(tx *bbolt.Tx, n *config.Notification, own bool, b *Build) error {
	was, err := endedBefore(tx, n, b)
	if err != nil {
		return err
	}
	note := Notice{Name: n.Name, Own: own, Event: noticeOf(b.Status, was)}
	if !n.WantsOn(wordOf(note.Event)) {
		return nil
	}
	if was != nil {
		note.Was, note.WasBuild = was.Status, was.ID()
	}
	return s.putNotice(tx, b, note)
}

func (s *Scheduler) putNotice(tx *bbolt.Tx, b *Build, note Notice) error {
	body, err := json.Marshal(note)
	if err != nil {
		return err
	}
	whose := "daemon"
	if note.Own {
		whose = "project " + b.Project
	}
	lane := fmt.Sprintf("notification %s of the %s", note.Name, whose)
	return s.outbox.Put(tx, outbox.Item{Kind: KindNotice, Key: lane + " " + b.ID(), Lane: lane, Project: b.Project, Build: b.ID(), Body: body})
}

// noticeOf says what an end is, after the one before it.
func noticeOf(s Status, was *Build) string {
	switch {
	case s == Stopped:
		return NoticeStopped
	case s != Succeeded:
		return NoticeFailure
	case was != nil && was.Status != Succeeded:
		return NoticeRecovery
	}
	return NoticeSuccess
}

// wordOf is what a notification must be set to be sent on, to be sent of an event.
func wordOf(event string) string {
	switch event {
	case NoticeFailure:
		return config.NotifyFailure
	case NoticeRecovery:
		return config.NotifyRecovery
	}
	return config.NotifyAlways
}

// saidKind is the kind of a build's trigger, by which people choose. A retry of what a pull request or a laptop asked for is
// theirs.
func saidKind(t *Trigger, b *Build) string {
	switch {
	case t.Kind != KindRetry:
		return string(t.Kind)
	case strings.HasPrefix(b.Ref, "refs/runner/submit/"):
		return string(KindSubmit)
	case t.PullRequest > 0 || b.Ref != "" && !branchOrTag(b.Ref):
		return string(KindPullRequest)
	}
	return string(KindRetry)
}

// maxBefore bounds how many builds of a ref are looked at for one that came to a verdict.
const maxBefore = 50

// endedBefore is the newest build before b, of its project and ref, that came to a verdict and is one of those that a notification
// tells of: who was told of a failure alone hears of what followed it. nil: there is none.
func endedBefore(tx *bbolt.Tx, n *config.Notification, b *Build) (*Build, error) {
	if b.Ref == "" {
		return nil, nil
	}
	in, looked := refOf(b.Project, b.Ref), 0
	for k := range backwards(tx.Bucket(bucketRefs), word(in), indexKey(in, uint64(b.Number))) {
		if looked++; looked > maxBefore {
			break
		}
		before, err := get[Build](tx, bucketBuilds, buildKey(b.Project, int(decodeNumber(k[len(k)-8:]))))
		if err != nil {
			return nil, err
		}
		if !before.Status.Ended() || before.Status == Stopped {
			continue
		}
		t, err := triggerOf(tx, before)
		if err == nil && n.Wants(b.Project, saidKind(t, before), b.Ref) {
			return before, nil
		}
		if err = unlessGone(err); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Notification finds the notification that a notice is of, as it is set now.
func (s *Scheduler) Notification(project string, note Notice) (config.Notification, error) {
	list := s.config().Notifications
	if note.Own {
		p, err := s.Project(project)
		if err != nil {
			return config.Notification{}, err
		}
		list = p.Notifications
	}
	i := slices.IndexFunc(list, func(n config.Notification) bool { return n.Name == note.Name })
	if i < 0 {
		return config.Notification{}, fmt.Errorf("notification %q: %w", note.Name, ErrNotFound)
	}
	return list[i], nil
}
