package scheduler

import (
	"context"
	"slices"
	"strings"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/source"
)

// Some filters, and the words that skip, are judged by what git itself says of a commit: its message, and the files that
// changed. Then a trigger's builds are numbered after its commit was fetched, so that none is numbered which is skipped.
// Until then the trigger stays pending, which is on disk: a daemon that dies meanwhile leaves it to the next.

// looks is what git said, by the address of the repository.
type looks map[string]*gitFacts

// maxLooks bounds the triggers about which git is asked at once. Of one project it is one, so that builds are numbered in
// the order in which their triggers came.
const maxLooks = 8

// looking is the triggers about which git is asked, or will be; s.mu guards it.
type looking struct {
	known   map[string]bool // ids of all of them
	waiting []Trigger       // in the order in which they came
	busy    map[string]bool // projects of those that are asked about
	running int
}

// look has git be asked about a trigger, and then decides it.
func (s *Scheduler) look(ctx context.Context, t Trigger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking.known == nil {
		s.looking.known, s.looking.busy = make(map[string]bool), make(map[string]bool)
	}
	if s.looking.known[t.ID] {
		return
	}
	s.looking.known[t.ID] = true
	s.looking.waiting = append(s.looking.waiting, t)
	s.lookNext(ctx)
}

// isLooking tells whether a trigger is in hand.
func (s *Scheduler) isLooking(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looking.known[id]
}

// lookNext begins what may begin; s.mu is held. A trigger waits for those before it that share a project with it.
func (s *Scheduler) lookNext(ctx context.Context) {
	l := &s.looking
	passed := make(map[string]bool)
	for i := 0; i < len(l.waiting) && l.running < maxLooks && ctx.Err() == nil; i++ {
		t := l.waiting[i]
		held := slices.ContainsFunc(t.Projects, func(p string) bool { return l.busy[p] || passed[p] })
		if held {
			for _, p := range t.Projects {
				passed[p] = true
			}
			continue
		}
		for _, p := range t.Projects {
			l.busy[p] = true
		}
		l.running++
		l.waiting = slices.Delete(l.waiting, i, i+1)
		i--
		s.goDo(func() {
			s.tasks.Many("triggers", "asks git what a trigger changes", func(*activity.Task) { s.lookAt(ctx, t) })
			s.looked(ctx, &t)
		})
	}
}

// looked lets the next begin.
func (s *Scheduler) looked(ctx context.Context, t *Trigger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.looking.known, t.ID)
	for _, p := range t.Projects {
		delete(s.looking.busy, p)
	}
	s.looking.running--
	s.lookNext(ctx)
}

// lookAt asks git about one trigger and commits what is decided. Where a daemon leaves meanwhile, the trigger stays pending;
// where the commit fails, the planner comes back to it.
func (s *Scheduler) lookAt(ctx context.Context, t Trigger) {
	if s.pin(ctx, &t, s.tipOf) {
		return
	}
	for ctx.Err() == nil {
		git := s.askGit(ctx, &t)
		if ctx.Err() != nil {
			return
		}
		failpoint.Pass("2/git-asked")
		d, err := s.decide(&t, git)
		if err == nil && d.asks {
			continue // settings that ask for more came in between
		}
		var builds []Build
		if err == nil {
			builds, err = s.commitTrigger(&t, d)
		}
		if err != nil {
			s.laterTrigger(&t, err)
		}
		s.toPlan(builds)
		return
	}
}

// askGit fetches a trigger's commit for each repository that its projects name, and reads what they judge by.
func (s *Scheduler) askGit(ctx context.Context, t *Trigger) looks {
	out := make(looks)
	for _, name := range t.Projects {
		p, err := s.Project(name)
		if err != nil {
			continue
		}
		files := needsFiles(&p)
		if had := out[p.URL]; had != nil && (had.looked || !files) {
			continue
		}
		out[p.URL] = s.askRepository(ctx, &p, t, files)
	}
	return out
}

// needsFiles tells whether a project judges by the files that changed.
func needsFiles(p *Project) bool {
	return len(p.Paths)+len(p.PathsIgnore) > 0 || slices.ContainsFunc(p.Filters, func(g config.FilterGroup) bool {
		return slices.ContainsFunc(g, func(x config.Filter) bool { return x.Type == config.FilterFilePath })
	})
}

// askRepository asks one repository. Whatever cannot be had counts as unknown: then the filters let the trigger through, and
// its build says what is wrong.
func (s *Scheduler) askRepository(ctx context.Context, p *Project, t *Trigger, files bool) *gitFacts {
	remote, err := s.remote(p)
	if err != nil {
		return unknown(err)
	}
	got, err := s.source.Fetch(ctx, remote, source.Want{Ref: t.Ref, Commit: t.Commit})
	if err != nil {
		return unknown(err)
	}
	var since source.Since
	out := &gitFacts{looked: files}
	if files {
		since, out.noFiles = sinceOf(t)
	}
	change, err := s.source.Change(ctx, remote, got.Commit, since)
	if err != nil {
		return unknown(err)
	}
	out.message, out.files = change.Message, change.Files
	if out.noFiles == "" {
		out.noFiles = change.Unknown
	}
	return out
}

// sinceOf says what a trigger's commit is compared with, or why with nothing.
func sinceOf(t *Trigger) (since source.Since, why string) {
	switch {
	case t.Kind == KindPullRequest || t.BaseRef != "":
		return source.Since{Base: t.BaseRef}, ""
	case !strings.HasPrefix(t.Ref, "refs/heads/"):
		return since, "a tag changes no file of its own"
	case strings.Trim(t.Before, "0") == "":
		return source.Since{New: t.Ref}, ""
	}
	return source.Since{Commit: t.Before}, ""
}

// unknown is of what could not be asked.
func unknown(err error) *gitFacts {
	why := shown(err.Error())
	return &gitFacts{noMessage: why, noFiles: why, looked: true}
}

// blind is what is known where there is no git to ask.
func (s *Scheduler) blind(t *Trigger) looks {
	out := make(looks)
	for _, name := range t.Projects {
		if p, err := s.Project(name); err == nil {
			out[p.URL] = &gitFacts{noMessage: "there is no repository", noFiles: "there is no repository", looked: true}
		}
	}
	return out
}
