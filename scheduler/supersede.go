package scheduler

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// A newer push to a branch or pull request stops the builds of the older ones. That the older ones are to stop is committed
// together with the newer build's number, as if a person had asked for it, so that a daemon which dies in between loses neither:
// the next one finds both in the rows.

// Reasons of builds that were stopped.
const (
	reasonStopped    = "stopped"
	reasonSuperseded = "superseded"
)

// whyStopped says who has a build stop.
func (b *Build) whyStopped() (reason, message string) {
	if b.StopCause == reasonSuperseded {
		return reasonSuperseded, "superseded by " + b.StopBy + ", the build of a newer push to " + shownRef(b.Ref)
	}
	return reasonStopped, "stopped by " + b.StopBy
}

// superseded is a build that was told to stop, and what follows from that.
type superseded struct {
	build string
	after *aftermath
}

// supersedes tells whether the builds of a trigger stop older ones of their ref. What a person or a clock asked for, and
// tags, never do, and never are stopped.
func (s *Scheduler) supersedes(p *Project, t *Trigger) bool {
	return p.Cancels() && replaceable(t)
}

// replaceable tells whether a trigger is a push to a branch or to a pull request.
func replaceable(t *Trigger) bool {
	return t.Kind == KindPullRequest || (t.Kind == KindPush && strings.HasPrefix(t.Ref, "refs/heads/"))
}

// sameRow tells whether two triggers are pushes to the same branch, or to the same pull request. Some forges have no ref for a
// pull request but its branch, which is pushed to, too.
func sameRow(a, b *Trigger) bool {
	return a.Kind == b.Kind && a.Ref == b.Ref && a.PullRequest == b.PullRequest && replaceable(a)
}

// mayStop tells whether builds of a ref may be stopped for newer ones: not those of a protected branch. Where it is not known
// which branch is the default one, any may be it.
func (s *Scheduler) mayStop(p *Project, t *Trigger) bool {
	if t.Kind == KindPullRequest {
		return true
	}
	defaultBranch := ""
	if p.Branch == "" && len(p.Protected) == 0 {
		if s.source != nil {
			defaultBranch = s.source.DefaultBranch(p.URL)
		}
		if defaultBranch == "" {
			return false
		}
	}
	return !protectedRef(p, t.Ref, defaultBranch)
}

// stopOlder tells the builds that a newer one supersedes to stop, in its transaction.
func (s *Scheduler) stopOlder(tx *bbolt.Tx, p *Project, t *Trigger, newer *Build, now time.Time) (out []superseded, err error) {
	var older []*Build
	prefix := word(p.Name)
	c := tx.Bucket(bucketActive).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if !has(tx, bucketRefs, indexKey(refOf(p.Name, t.Ref), decodeNumber(k[len(prefix):]))) {
			continue
		}
		b, err := s.load(tx, bytes.Clone(k))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if b.Number < newer.Number && b.StopBy == "" && !b.Trusted {
			older = append(older, b)
		}
	}
	if len(older) == 0 || !s.mayStop(p, t) {
		return nil, nil
	}
	for _, b := range older {
		of, err := triggerOf(tx, b)
		if err != nil || !sameRow(of, t) {
			continue
		}
		b.StopBy, b.StopCause = newer.ID(), reasonSuperseded
		x := superseded{build: b.ID()}
		if b.Plan == nil {
			err = putBuild(tx, b) // still being planned: the planner sees StopBy
		} else {
			x.after, err = s.settle(tx, b, now)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func triggerOf(tx *bbolt.Tx, b *Build) (*Trigger, error) {
	seq, err := triggerSeq(b.Trigger)
	if err != nil {
		return nil, err
	}
	return get[Trigger](tx, bucketTriggers, number(seq))
}

// newerBuild is the newest build of a trigger's ref, where it is that of a newer push; "" else.
func newerBuild(tx *bbolt.Tx, project string, t *Trigger) (string, error) {
	of := refOf(project, t.Ref)
	for k := range backwards(tx.Bucket(bucketRefs), word(of), indexKey(of, uint64(lastNumber(tx, project))+1)) {
		b, err := get[Build](tx, bucketBuilds, buildKey(project, int(decodeNumber(k[len(k)-8:]))))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		if b.Trigger <= t.ID {
			return "", nil
		}
		if by, err := triggerOf(tx, b); err == nil && sameRow(by, t) {
			return b.ID(), nil
		}
	}
	return "", nil
}

// supersede follows the commit that told builds to stop.
func (s *Scheduler) supersede(all []superseded) {
	for _, x := range all {
		s.log.Info("a build is superseded", "build", x.build)
		s.stopping(x.build, x.after)
	}
}

// stopping makes the picture in memory follow a commit that told a build to stop.
func (s *Scheduler) stopping(build string, after *aftermath) {
	s.apply(build, after)
	s.mu.Lock()
	if p := s.planning[build]; p != nil {
		p.cancel()
	}
	s.mu.Unlock()
	s.hub.tell(build)
	s.wakeDispatcher()
}

// requestRef is where forges have the head of a pull request.
var requestRef = regexp.MustCompile(`^refs/(?:pull|merge-requests|pull-requests)/([0-9]+)/`)

// shownRef is a ref as people say it.
func shownRef(ref string) string {
	if m := requestRef.FindStringSubmatch(ref); m != nil {
		return "pull request #" + m[1]
	}
	if short, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return shown(short)
	}
	return shown(ref)
}
