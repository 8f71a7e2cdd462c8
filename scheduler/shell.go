package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
)

// Where a shell is.
const (
	ShellRunning = "running" // beside the commands of a job that runs, or waits at a breakpoint
	ShellFailed  = "failed"  // in the kept sandbox of a job that failed
)

const (
	// maxShells bounds the people in one sandbox.
	maxShells = 4
	// maxOwnShells bounds those of one token or person, so that nobody takes all that there are.
	maxOwnShells = 16
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

// OpenedShell is a program that runs for somebody.
type OpenedShell struct {
	runner.Shell
	Over <-chan string // why it is to end, once
	// Leave has to be called, perhaps more than once: it ends the program where it has not ended, and the sandbox if nobody else
	// is in it.
	Leave func()
}

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
	// What it is given today tells less than what it was given then: a secret that leaked is the first to be taken from a project.
	place.Sealed = l.attempt.Sealed || len(place.Withheld) > 0 || place.pj.GitCredentials
	return place, err
}
