package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// leftPatience is for how long all that a job left is asked for when it cannot be read: an engine on its way up again
// takes less.
const leftPatience = 2 * time.Minute

// patiently takes something in, and tries again while the engine lets nobody read it. A person who stops the build
// ends that, for this and for what follows.
func (s *session) patiently(ctx context.Context, what string, take func() error) error {
	if s.patience.IsZero() {
		s.patience = time.Now().Add(leftPatience)
	}
	for wait := 50 * time.Millisecond; ; wait = min(wait*2, 5*time.Second) {
		err := take()
		if !errors.Is(err, errUnread) || time.Until(s.patience) < wait {
			return err
		}
		s.log.Info("what the job left cannot be read, trying again", "what", what, "error", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-s.attempt.Stop:
			s.patience = time.Now()
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tree is a tar that a job left, on its way to a set of files.
type tree struct {
	what   string // "the artifacts"
	file   string // in the spool
	set    string
	name   string
	files  int // as announced
	limits artifacts.Limits
}

// takeTree stores the packed files. The agent's words about them are for the log only: names are checked, content is
// hashed and counted on our side.
func (s *session) takeTree(ctx context.Context, t tree) error {
	return s.patiently(ctx, t.what, func() error {
		f, err := s.openLeft(ctx, t.file, t.files)
		if err != nil {
			return err
		}
		defer f.Close()
		// Taking in gigabytes must end when the daemon leaves; the next one starts it again.
		set, err := s.runner.Artifacts.PutTar(ctx, t.set, artifacts.SetMeta{Name: t.name}, f, t.limits)
		failpoint.Pass("6/files-stored")
		for _, note := range set.Notes {
			s.say("Note on %s: %s", t.what, note)
		}
		return err
	})
}

// openLeft opens a file that the agent said it left.
func (s *session) openLeft(ctx context.Context, name string, files int) (io.ReadCloser, error) {
	f, err := s.open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it announced %d files and left none", errDamaged, files)
	}
	return f, err
}

// secondaryID is what a buildspec may have as the identifier of a secondary artifact.
var secondaryID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,126}$`)

// takeArtifacts takes in all artifacts of a job. The first that cannot be had decides. What the buildspec does not
// declare is not taken, and no file twice: a job that writes frames of its own gets no more room than its buildspec has.
func (s *session) takeArtifacts(ctx context.Context, d wire.Done, res *Result) error {
	limits := artifacts.Limits{Bytes: s.attempt.Job.Limits.ArtifactBytes}
	if a := d.Artifacts; a != nil {
		t := tree{"the artifacts", wire.ArtifactsFile, s.attempt.Set, a.Name, a.Files, limits}
		if err := s.takeTree(ctx, t); err != nil {
			return fmt.Errorf("the artifacts could not be taken in: %w", err)
		}
		res.Set = t.set
	}
	files := make(map[string]bool)
	for i, a := range d.Secondary {
		what := fmt.Sprintf("the secondary artifacts %q", brief(a.ID, 100))
		file := secondaryFile(i, a.File)
		if _, twice := res.Secondary[a.ID]; twice || files[file] || !s.declares(a.ID) {
			return fmt.Errorf("%s could not be taken in: %w: want each identifier that the buildspec has under secondary-artifacts once, and a file for each", what, errDamaged)
		}
		files[file] = true
		t := tree{what, file, s.attempt.Set + "/" + a.ID, a.Name, a.Files, limits}
		if err := s.takeTree(ctx, t); err != nil {
			return fmt.Errorf("%s could not be taken in: %w", what, err)
		}
		if res.Secondary == nil {
			res.Secondary = make(map[string]string)
		}
		res.Secondary[a.ID] = t.set
	}
	return nil
}

// declares tells whether the job's buildspec has a secondary artifact of an identifier.
func (s *session) declares(id string) bool {
	declared := slices.ContainsFunc(s.attempt.Job.Secondary, func(a wire.ArtifactSpec) bool { return a.ID == id })
	return declared && (id == wire.PatchID || secondaryID.MatchString(id))
}

// secondaryFile is the file of the i-th secondary artifact that a job left. The agent's word counts only where it is
// one of the names that we give, for it may number the declared ones, of which some can be missing.
func secondaryFile(i int, said string) string {
	for n := range wire.MaxSecondary {
		if name := wire.SecondaryFile(n); said == name {
			return name
		}
	}
	return wire.SecondaryFile(i)
}

// withoutArtifacts is the result of a job whose artifacts could not be had. A job that did not succeed ended for a
// reason of its own, which stands.
func (s *session) withoutArtifacts(res Result, err error) Result {
	missing := err.Error()
	if res.Status != wire.StatusSucceeded {
		res.Message = joined(res.Message, missing)
		s.say("%s", missing)
		return res
	}
	var input *artifacts.InputError
	switch {
	case errors.As(err, &input), errors.Is(err, errDamaged):
		s.ours = true
		res.Status, res.Reason, res.Phase, res.Message = wire.StatusFailed, "artifacts", wire.PhaseUpload, missing
		if errors.Is(err, artifacts.ErrLimit) {
			res.Reason = wire.ReasonArtifacts
		}
		return res
	case unavailable(err):
		return passing(fault("engine_unavailable", "the job succeeded, but "+missing+"; start the engine (systemctl start docker) and retry the build"))
	case errors.Is(err, errUnread):
		return passing(fault("spool_unreadable", "the job succeeded, but "+missing+"; look at the disk below the daemon's data directory and retry the build"))
	case errors.Is(err, ErrNoSandbox):
		return passing(fault("sandbox_lost", "the job succeeded, but "+missing+"; something removed its container; look who else cleans up on that engine"))
	}
	return s.storeFault(err)
}
