package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// Where a shell is.
const (
	ShellRunning = "running" // beside the commands of a job that runs, or waits at a breakpoint
	ShellFailed  = "failed"  // in the kept sandbox of a job that failed
)

const (
	// maxShells bounds the people in one sandbox.
	maxShells = 4
	// maxAllShells bounds them in all.
	maxAllShells = 64
	// prolonged is how long a sandbox is kept at least after somebody left it.
	prolonged = 30 * time.Minute
)

// ShellPlace is the sandbox that somebody can go into.
type ShellPlace struct {
	Build, Job string
	At         string // ShellRunning or ShellFailed
	Image      string
	Until      time.Time // of a kept one
	Withheld   []string  // variables that the job was given, and a shell is not
	Kind       TriggerKind
	Sender     string // who sent the tree, of a submit and of its retries
	Stranger   bool   // the build is of a stranger's pull request
	Sealed     bool   // the job was given what is secret, git credentials among it

	at leased
	p  Project
	t  Trigger
	pj *buildspec.Job
}

// ShellCommand is what somebody wants to run there.
type ShellCommand struct {
	By         string
	Args       []string // none: a shell
	TTY        bool
	Cols, Rows uint
	Term       string
}

// OpenedShell is a program that runs for somebody. Leave has to be called.
type OpenedShell struct {
	runner.Shell
	Over  <-chan string // why it is to end, once
	leave func()
}

// Leave ends the program where it has not ended, and the sandbox if nobody else is in it.
func (o *OpenedShell) Leave() { o.leave() }

// FindShell finds where a shell of a build would be: in a job of it, or in the only one that there is to go into. At is
// ShellRunning, ShellFailed, or "" for either. The error is a *ConflictError where nobody can go in.
func (s *Scheduler) FindShell(build, job, at string) (ShellPlace, error) {
	key, err := keyOf(build)
	if err != nil {
		return ShellPlace{}, err
	}
	var b *Build
	var found []leased
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b, err = s.load(tx, key); err != nil {
			return fmt.Errorf("build %s: %w", build, err)
		}
		jobs, err := jobsOf(tx, key)
		if err != nil {
			return err
		}
		known := job == ""
		for i := range jobs {
			if job != "" && jobs[i].ID != job {
				continue
			}
			known = true
			if n, ok := s.canEnter(b, &jobs[i], at); ok {
				found = append(found, leased{build: b, job: &jobs[i], attempt: jobs[i].Attempts[n]})
			}
		}
		if !known {
			return fmt.Errorf("job %s of build %s: %w", job, build, ErrNotFound)
		}
		return nil
	})
	if err != nil {
		return ShellPlace{}, err
	}
	switch len(found) {
	case 0:
		return ShellPlace{}, s.nowhere(b, job, at)
	case 1:
		return s.placeOf(found[0])
	}
	names := make([]string, len(found))
	for i := range found {
		names[i] = found[i].job.ID
	}
	return ShellPlace{}, &ConflictError{fmt.Sprintf("build %s has %d jobs to go into", build, len(found)), "name one with --job: " + someNames(names)}
}

// someNames are the first of many.
func someNames(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// canEnter tells whether somebody can go into a job, and which of its attempts that is, from 0.
func (s *Scheduler) canEnter(b *Build, j *Job, at string) (attempt int, ok bool) {
	if at != ShellFailed && j.State == JobLeased && len(j.Attempts) > 0 && j.newest().Sent && j.newest().Begun {
		return len(j.Attempts) - 1, true
	}
	if at == ShellRunning {
		return 0, false
	}
	k, kept := s.Kept(b.ID(), j.ID)
	i := slices.IndexFunc(j.Attempts, func(a Attempt) bool { return a.Number == k.Attempt })
	return i, kept && i >= 0
}

// nowhere says why there is nothing to go into.
func (s *Scheduler) nowhere(b *Build, job, at string) error {
	what := "build " + b.ID()
	if job != "" {
		what = "job " + job + " of " + b.ID()
	}
	switch {
	case at == ShellFailed && !b.Status.Ended() && b.Plan == nil:
		return &ConflictError{what + " has not failed, it is being planned", "wait for its end; runner show " + b.ID() + " tells what it does"}
	case at != ShellFailed && !b.Status.Ended():
		return &ConflictError{what + " runs no command at the moment", "wait until a command of it runs; runner show " + b.ID() + " tells what it does"}
	case at == ShellRunning:
		return &ConflictError{what + " runs no more", "runner shell " + b.ID() + " --at failed opens what is kept of it"}
	case b.Fork:
		return &ConflictError{what + " is a stranger's, of which nothing is kept", "push its commit to a branch of the repository, or submit it"}
	case b.Status == Succeeded:
		return &ConflictError{"nothing failed in " + what + ", so nothing is kept of it", "start it again with --debug and hold it with codebuild-breakpoint"}
	}
	return &ConflictError{"no sandbox is kept of " + what, "sandboxes of failed jobs are kept for a while (keep-failed) unless their project has too many or the disk is short; runner retry " + b.ID() + " --failed makes it again"}
}

func (s *Scheduler) placeOf(l leased) (ShellPlace, error) {
	place := ShellPlace{Build: l.build.ID(), Job: l.job.ID, At: ShellRunning, Stranger: l.build.Fork, at: l}
	var err error
	if place.p, err = s.Project(l.build.Project); err != nil {
		return place, err
	}
	if place.t, err = s.Trigger(l.build.Trigger); err != nil {
		return place, err
	}
	if place.pj, err = planJob(l.build, l.job.ID); err != nil {
		return place, err
	}
	place.Image, place.Kind = place.pj.Image, place.t.Kind
	if place.Sender = place.t.Submitter; place.t.Kind == KindSubmit {
		place.Sender = place.t.Actor
	}
	if l.job.State == JobEnded {
		k, _ := s.Kept(place.Build, place.Job)
		place.At, place.Until = ShellFailed, k.Until
	}
	_, place.Withheld, err = s.shellEnv(place)
	place.Sealed = len(place.Withheld) > 0 || place.pj.GitCredentials
	return place, err
}

// shellEnv is the job's environment without what the secret store gave it, and the names of that.
func (s *Scheduler) shellEnv(place ShellPlace) (env []wire.Var, withheld []string, err error) {
	l := place.at
	vars, err := s.wanted(&place.p, l.build, &place.t, place.pj)
	if err != nil {
		return nil, nil, err
	}
	last, secret := winners(vars), secretNames(vars)
	env = append(s.builtins(&place.p, l, place.pj, &place.t), s.builtBefore(l.build, place.pj)...)
	if place.At == ShellFailed {
		env = append(env, wire.Var{Name: "CODEBUILD_BUILD_SUCCEEDING", Value: "0"})
	}
	for i, v := range vars {
		switch {
		case last[v.name] != i:
		case v.sealed != nil && doesWithout(l.build, v.sealed, s.askVault(context.Background(), l.build, v.sealed.ref)):
		case v.sealed != nil || secret[v.name]:
			withheld = append(withheld, v.name)
		default:
			env = append(env, wire.Var{Name: v.name, Value: v.value})
		}
	}
	slices.Sort(withheld)
	return env, withheld, nil
}

// OpenShell lets somebody in. Who went into a job that runs is committed before, and the job proves nothing any more.
func (s *Scheduler) OpenShell(ctx context.Context, place ShellPlace, c ShellCommand) (*OpenedShell, error) {
	env, _, err := s.shellEnv(place)
	if err != nil {
		return nil, err
	}
	door, err := s.passDoor(place)
	if err != nil {
		return nil, err
	}
	open := &OpenedShell{Over: door.over}
	if err = s.goIn(ctx, place, c.By, door); err == nil {
		open.Shell, err = s.runner.Shell(ctx, place.at.attempt.Engine, place.at.attempt.Sandbox, s.shellCommand(place, c, env))
	}
	if err != nil {
		s.goOut(place, door)
		return nil, err
	}
	s.log.Info("somebody goes into a job", "build", place.Build, "job", place.Job, "at", place.At, "by", c.By)
	open.leave = sync.OnceFunc(func() {
		open.Shell.End(ctx)
		s.goOut(place, door)
		s.log.Info("somebody has left a job", "build", place.Build, "job", place.Job, "at", place.At, "by", c.By)
	})
	return open, nil
}

// door is somebody's way in.
type door struct {
	box  *keptBox // nil of a job that runs
	over chan string
}

// passDoor counts somebody in, if there is room. From then on a kept sandbox is not removed.
func (s *Scheduler) passDoor(place ShellPlace) (*door, error) {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	id := place.at.attempt.Sandbox
	d := &door{over: make(chan string, 1)}
	if place.At == ShellFailed {
		if d.box = s.kept.boxes[id]; d.box == nil || d.box.leaves {
			return nil, &ConflictError{"the sandbox of job " + place.Job + " has just been removed", "runner retry " + place.Build + " --failed makes it again"}
		}
	}
	if s.kept.shells[id] >= maxShells || s.kept.people >= maxAllShells {
		return nil, &ConflictError{fmt.Sprintf("%d shells are open in that job already", s.kept.shells[id]), "close one of them; runner audit --action open-shell shows whose they are"}
	}
	s.kept.shells[id]++
	s.kept.people++
	if d.box != nil {
		d.box.inside++
		d.box.doors = append(d.box.doors, d)
	}
	s.work.Add(1)
	return d, nil
}

// goIn makes the way to a sandbox that runs.
func (s *Scheduler) goIn(ctx context.Context, place ShellPlace, by string, d *door) error {
	if d.box == nil {
		return s.noteEntered(place, by)
	}
	d.box.turn.Lock()
	defer d.box.turn.Unlock()
	if d.box.guard != nil {
		return nil // somebody else is in it
	}
	if !d.box.closed { // its agent may be about to leave
		if err := s.runner.Close(ctx, place.at.attempt.Engine, place.at.attempt.Sandbox); err != nil {
			return fmt.Errorf("opening the sandbox of job %s again: %w", place.Job, err)
		}
	}
	limits := s.limitsFor(ctx, s.limitsOf(&place.p), place.pj, place.at.attempt.Engine)
	a, err := s.attemptOf(&place.p, place.at, limits)
	if err != nil {
		return err
	}
	d.box.closed = false
	if err := s.runner.Reopen(ctx, place.at.attempt.Engine, a); err != nil {
		return fmt.Errorf("opening the sandbox of job %s again: %w", place.Job, err)
	}
	failpoint.Pass("6/kept-opened")
	box := d.box
	box.guard = s.runner.Guard(context.WithoutCancel(ctx), place.at.attempt.Engine, a, func(why string) { s.kept.endAll(box, why) })
	return nil
}

// noteEntered commits who goes into a job that runs.
func (s *Scheduler) noteEntered(place ShellPlace, by string) error {
	key, err := keyOf(place.Build)
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		index := place.at.build.indexed().at[place.Job]
		j, a, err := holder(tx, key, index, place.Job, place.at.attempt.Token)
		if err != nil {
			return err
		}
		if a.Entered == "" {
			a.Entered = by
		}
		j.Key = "" // a person can change what it works on
		return putJob(tx, key, index, j)
	})
	if errors.Is(err, ErrFenced) {
		return &ConflictError{"job " + place.Job + " has just ended", "runner shell " + place.Build + " --at failed opens what is kept of it, if it failed"}
	}
	if err == nil {
		failpoint.Pass("5/entered-committed")
		s.hub.tell(place.Build)
	}
	return err
}

// goOut counts somebody out. The last one to leave a kept sandbox ends it.
func (s *Scheduler) goOut(place ShellPlace, d *door) {
	defer s.work.Done()
	id := place.at.attempt.Sandbox
	s.kept.mu.Lock()
	if s.kept.shells[id]--; s.kept.shells[id] == 0 {
		delete(s.kept.shells, id)
	}
	s.kept.people--
	last := false
	if d.box != nil {
		d.box.inside--
		last = d.box.inside == 0
		d.box.doors = slices.DeleteFunc(d.box.doors, func(o *door) bool { return o == d })
	}
	s.kept.mu.Unlock()
	if !last {
		return
	}
	d.box.turn.Lock()
	if d.box.guard != nil && !s.isInside(d.box) {
		d.box.guard()
		d.box.guard = nil
	}
	d.box.turn.Unlock()
	if s.closeKept(context.Background(), d.box) {
		s.dropKept(context.Background(), d.box)
		return
	}
	until := time.Now().Add(prolonged)
	err := s.changeKept(d.box, func(k *kept) {
		if k.Bytes = 0; k.Until.Before(until) {
			k.Until = until
		}
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.log.Warn("prolonging the time of a kept sandbox", "sandbox", id, "error", err)
	}
	wake(s.kept.kick)
}

// toolsPath is where the tools of CodeBuild's are that jobs call.
const toolsPath = "/codebuild/user/bin"

// Scripts that put the tools on the PATH, which only the sandbox knows whole, and become what was asked for.
const (
	enterShell   = "PATH=" + toolsPath + ":$PATH; export PATH; if command -v bash >/dev/null 2>&1; then exec bash; fi; exec /bin/sh"
	enterCommand = "PATH=" + toolsPath + ":$PATH; export PATH; exec \"$@\""
)

func (s *Scheduler) shellCommand(place ShellPlace, c ShellCommand, env []wire.Var) runner.ShellCommand {
	out := runner.ShellCommand{
		Mark: rand.Text(), Args: []string{"/bin/sh", "-c", enterShell}, User: runAsOf(place),
		TTY: c.TTY, Cols: c.Cols, Rows: c.Rows,
	}
	if len(c.Args) > 0 {
		out.Args = append([]string{"/bin/sh", "-c", enterCommand, "runner-shell"}, c.Args...)
	}
	if c.TTY && c.Term != "" {
		env = append(env, wire.Var{Name: "TERM", Value: c.Term})
	}
	values := make(map[string]string, len(env)) // of two, programs differ in which they take
	for _, v := range env {
		values[v.Name] = v.Value
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out.Env = append(out.Env, name+"="+values[name])
	}
	return out
}

// runAsOf is the user of the phase that runs, or that failed; "" is root.
func runAsOf(place ShellPlace) string {
	phases := place.at.attempt.Phases
	for _, done := range phases {
		if done.Status == Succeeded {
			continue
		}
		for _, p := range place.pj.Phases {
			if strings.EqualFold(p.Name, done.Name) {
				return p.RunAs
			}
		}
	}
	return ""
}
