package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// pollTick is how often it is looked which remote is due, and how soon a new project's first look comes.
	pollTick = 2 * time.Second
	// pollTimeout bounds one question to a remote: it tells its refs, and nothing is fetched.
	pollTimeout = time.Minute
	// pollsAtOnce leaves most of the source's children to builds.
	pollsAtOnce = 2
	// pollBackoff is the most that a remote which does not answer is left alone, unless its interval is longer.
	pollBackoff = 30 * time.Minute
)

// sharedRemote is what projects have in common whose remote is asked once: address and credentials.
type sharedRemote struct {
	url, username             string
	token, sshKey, knownHosts config.Secret
}

// poll is a remote that is looked at.
type poll struct {
	projects []string // that share it
	every    time.Duration
	due      time.Time
	busy     bool
	failures int
	last     client.Poll
}

// polls compares remote refs with what was built, for pushes whose webhook never came.
type polls struct {
	parts  *parts
	cfg    func() *config.Config
	mu     sync.Mutex
	byWhat map[sharedRemote]*poll
}

func newPolls(p *parts, cfg func() *config.Config) *polls {
	return &polls{parts: p, cfg: cfg, byWhat: make(map[sharedRemote]*poll)}
}

// run looks at remotes until ctx ends.
func (p *polls) run(ctx context.Context, t *activity.Task) {
	var looks sync.WaitGroup
	defer looks.Wait()
	slots := make(chan struct{}, pollsAtOnce)
	tick := time.NewTicker(pollTick)
	defer tick.Stop()
	for {
		t.Waits(p.gather(time.Now()))
		for what, l := range p.takeDue(time.Now(), cap(slots)-len(slots)) {
			slots <- struct{}{}
			t.Does("asking " + what.url)
			looks.Go(func() {
				defer func() { <-slots }()
				p.look(ctx, what, l)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// gather brings the remotes up to date with the projects there are.
func (p *polls) gather(now time.Time) error {
	found := make(map[sharedRemote]*poll)
	var names []string
	err := p.parts.scheduler.EachProject(func(pr *config.Project) {
		every := pr.PollEvery()
		if every == 0 {
			return
		}
		names = append(names, pr.Name)
		what := sharedRemote{url: pr.URL, username: pr.Username, token: pr.Token, sshKey: pr.SSHKey, knownHosts: pr.KnownHosts}
		l := found[what]
		if l == nil {
			l = &poll{every: every}
			found[what] = l
		}
		l.every = min(l.every, every)
		l.projects = append(l.projects, pr.Name)
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	changed := false
	for what, l := range found {
		slices.Sort(l.projects)
		old := p.byWhat[what]
		switch {
		case old == nil:
			l.due, changed = now, true
		case !slices.Equal(old.projects, l.projects) && len(l.projects) > len(old.projects):
			old.due, changed = now, true // for the first look of the new one
		}
		if old != nil {
			changed = changed || !slices.Equal(old.projects, l.projects)
			if l.every < old.every {
				old.due = minTime(old.due, now.Add(l.every))
			}
			old.projects, old.every = l.projects, l.every
			found[what] = old
		}
		found[what].last.Projects, found[what].last.Seconds = l.projects, l.every.Seconds()
	}
	changed = changed || len(found) != len(p.byWhat)
	p.byWhat = found
	p.mu.Unlock()
	if !changed {
		return nil
	}
	return p.parts.scheduler.KeepLooks(names)
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// takeDue marks the remotes that are due as busy, at most so many of them, those first that wait longest.
func (p *polls) takeDue(now time.Time, most int) map[sharedRemote]*poll {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := make(map[sharedRemote]*poll)
	for len(due) < most {
		var next sharedRemote
		var l *poll
		for what, at := range p.byWhat {
			if !at.busy && !at.due.After(now) && (l == nil || at.due.Before(l.due)) {
				next, l = what, at
			}
		}
		if l == nil {
			break
		}
		l.busy = true
		due[next] = l
	}
	return due
}

// look asks one remote, and says how it went.
func (p *polls) look(ctx context.Context, what sharedRemote, l *poll) {
	p.mu.Lock()
	projects := l.projects
	p.mu.Unlock()
	refs, made, err := p.ask(ctx, projects)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	p.mu.Lock()
	l.busy, l.last.At = false, now
	wait := l.every
	if err != nil {
		l.failures++
		wait = min(l.every<<min(l.failures, 10), max(pollBackoff, l.every))
		l.last.Error = err.Error()
	} else {
		l.failures, l.last.Error, l.last.Refs = 0, "", refs
		l.last.Found += made
	}
	l.due = now.Add(jittered(wait))
	l.last.Next = l.due
	failures := l.failures
	p.mu.Unlock()
	switch {
	case failures == 1:
		p.parts.log.Warn("looking at a remote failed; pushes whose webhook is lost are not seen meanwhile", "projects", projects, "error", err)
	case made > 0:
		p.parts.log.Info("a look at the remote found pushes that no webhook told", "projects", projects, "triggers", made)
	}
}

// jittered is about as long, so that remotes which became due together do not stay together.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// ask looks at the remote of projects that share it.
func (p *polls) ask(ctx context.Context, projects []string) (refs, made int, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	first, err := p.parts.scheduler.Project(projects[0])
	if err != nil {
		return 0, 0, err
	}
	remote, err := scheduler.RemoteOf(p.cfg(), &first.Project)
	if err != nil {
		return 0, 0, err
	}
	l, err := p.parts.scheduler.BeginLook(projects, first.URL)
	if err != nil {
		return 0, 0, err
	}
	tips, err := p.parts.source.Tips(ctx, remote)
	if err != nil {
		if ctx.Err() != nil && context.Cause(ctx) == context.DeadlineExceeded {
			err = fmt.Errorf("%s did not tell its refs within %s", first.URL, pollTimeout)
		}
		return 0, 0, err
	}
	made, err = p.parts.scheduler.EndLook(ctx, l, tips)
	return len(tips), made, err
}

// picture tells of each remote how the last look went.
func (p *polls) picture() []client.Poll {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]client.Poll, 0, len(p.byWhat))
	for _, l := range p.byWhat {
		out = append(out, l.last)
	}
	slices.SortFunc(out, func(a, b client.Poll) int { return slices.Compare(a.Projects, b.Projects) })
	return out
}
