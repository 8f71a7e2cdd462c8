package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

var (
	// errUnread is trouble of the engine or of this machine with a file of the spool. The file may be whole, so
	// nothing is known of the job, and the same call may succeed later.
	errUnread = errors.New("reading what the job left")
	// errDamaged is a file that no agent leaves like that.
	errDamaged = errors.New("the job changed what it left")
)

// open opens a file of the spool. Its errors wrap fs.ErrNotExist, ErrNoSandbox, errUnread or errDamaged; reading
// fails with errUnread alone.
func (s *session) open(ctx context.Context, name string) (io.ReadCloser, error) {
	f, err := s.ex.Open(ctx, s.attempt.Sandbox, name)
	switch {
	case err == nil:
		return spoolFile{f}, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNoSandbox):
		return nil, err
	case ctx.Err() != nil, unavailable(err), short(err):
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	return nil, fmt.Errorf("%w: %w", errDamaged, err)
}

func unavailable(err error) bool {
	var gone *UnavailableError
	return errors.As(err, &gone)
}

// short tells of a machine that is out of something, or whose disk fails.
func short(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.EAGAIN, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// spoolFile says which errors come from reading, whoever reads.
type spoolFile struct{ io.ReadCloser }

func (f spoolFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errUnread, err)
	}
	return n, err
}

// readSpool takes the frames that nobody was attached for from the spool itself. It returns nil and no error only
// when the spool was read to its end, or there is none that can be believed: any other trouble, errUnread or
// errStore, is ours, and the result may be there.
func (s *session) readSpool(ctx context.Context) (*wire.Done, error) {
	f, err := s.open(ctx, wire.SpoolFile)
	if errors.Is(err, errUnread) {
		return nil, err
	}
	if err != nil {
		s.log.Info("there is no spool to read", "error", err)
		return nil, nil
	}
	defer f.Close()
	rd := wire.NewAgentReader(io.LimitReader(f, maxSpool))
	senseless := 0
	for ctx.Err() == nil {
		frame, err := rd.Read()
		var version *wire.VersionError
		switch {
		case errors.As(err, &version):
			continue
		case err == io.EOF:
			s.spooled = senseless == 0
			return nil, s.rec.flush(ctx)
		case err != nil:
			return nil, errors.Join(err, s.rec.flush(ctx))
		}
		done, err := s.rec.take(frame)
		if err != nil {
			if senseless++; senseless == 1 { // a job could fill our own log with them
				s.log.Warn("the spool holds frames that make no sense; this is the first", "error", err)
			}
			continue
		}
		if err := s.rec.keep(ctx, done != nil); err != nil {
			return nil, err
		}
		if done != nil {
			return done, nil
		}
	}
	return nil, ctx.Err()
}

// maxSpool bounds what is read of a spool, which a hostile job may have made endless.
const maxSpool = 64 << 30
