package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

// artifactsPatience is for how long artifacts are asked for that cannot be read: an engine on its way up again takes
// less.
const artifactsPatience = 2 * time.Minute

// takeArtifacts stores the packed files, and tries again while the engine lets nobody read them. A person who stops
// the build ends that.
func (s *session) takeArtifacts(ctx context.Context, a wire.Artifacts) (string, error) {
	deadline := time.Now().Add(artifactsPatience)
	for wait := 50 * time.Millisecond; ; wait = min(wait*2, 5*time.Second) {
		set, err := s.putArtifacts(ctx, a)
		if !errors.Is(err, errUnread) || time.Until(deadline) < wait {
			return set, err
		}
		s.log.Info("the artifacts cannot be read, trying again", "error", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-s.attempt.Stop:
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// putArtifacts tries once. The agent's words about the files are for the log only: names are checked, content is
// hashed and counted on our side.
func (s *session) putArtifacts(ctx context.Context, a wire.Artifacts) (string, error) {
	f, err := s.open(ctx, wire.ArtifactsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: it announced %d files and left none", errDamaged, a.Files)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	// Taking in gigabytes must end when the daemon leaves; the next one starts it again.
	_, err = s.runner.Artifacts.PutTar(ctx, s.attempt.Set, artifacts.SetMeta{Name: a.Name}, f,
		artifacts.Limits{Bytes: s.attempt.Job.Limits.ArtifactBytes})
	if err != nil {
		return "", err
	}
	return s.attempt.Set, nil
}

// withoutArtifacts is the result of a job whose artifacts could not be had. A job that did not succeed ended for a
// reason of its own, which stands.
func (s *session) withoutArtifacts(ctx context.Context, res Result, err error) Result {
	missing := "the artifacts could not be taken in: " + err.Error()
	if res.Status != wire.StatusSucceeded {
		res.Message = joined(res.Message, missing)
		if nerr := s.rec.note(ctx, missing); nerr != nil {
			s.log.Error("storing a line of a log", "error", nerr)
		}
		return res
	}
	var input *artifacts.InputError
	switch {
	case errors.As(err, &input), errors.Is(err, errDamaged):
		res.Status, res.Reason, res.Phase, res.Message = wire.StatusFailed, "artifacts", wire.PhaseUpload, missing
		return res
	case unavailable(err):
		return fault("engine_unavailable", "the job succeeded, but "+missing+"; start the engine (systemctl start docker) and retry the build")
	case errors.Is(err, errUnread):
		return fault("spool_unreadable", "the job succeeded, but "+missing+"; look at the disk below the daemon's data directory and retry the build")
	case errors.Is(err, ErrNoSandbox):
		return fault("sandbox_lost", "the job succeeded, but "+missing+"; something removed its container; retry the build, and look who else cleans up on that engine")
	}
	return s.storeFault(err)
}
