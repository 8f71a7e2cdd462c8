package artifacts

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// Defaults of Limits.
const (
	DefaultMaxBytes = 16 << 30
	DefaultMaxFiles = 200_000
)

const maxSetName = 1024

// SetMeta is what the caller says of a set.
type SetMeta struct {
	Name string // for people; may be empty, or up to 1024 bytes
}

// Limits bound what one tar may bring. Zero is the default.
type Limits struct {
	Bytes int64 // of content and names
	Files int   // entries, of whatever kind
}

// PutTar stores the files of the uncompressed tar r as set id, in place of a former set of that id, and returns the
// set without its files. Nothing of the tar is believed: names must be relative and without "..", entries regular
// files, directories or symbolic links, their number and size within limits. Links that point outside of the set
// are left out, with a note in the set. When a path comes twice, the last one wins. The set becomes visible when it
// is whole; until then, and when PutTar fails, the former set stands.
//
// An InputError says that the tar is at fault. Two puts run at a time, others wait, so r should be a local file.
// Whatever the size, a put holds some 20 MiB of memory, and some 35 with what it leaves to the garbage collector.
func (s *Store) PutTar(ctx context.Context, id string, meta SetMeta, r io.Reader, limits Limits) (Set, error) {
	if err := checkID("artifact set", id); err != nil {
		return Set{}, err
	}
	if len(meta.Name) > maxSetName {
		return Set{}, &InputError{Reason: fmt.Sprintf("the set's name has %d bytes, want at most %d", len(meta.Name), maxSetName)}
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return Set{}, ctx.Err()
	case <-s.closed:
		return Set{}, ErrClosed
	}
	in := newIntake(ctx, s, id, limits)
	row, err := in.run(meta, r)
	defer in.release()
	if err != nil {
		in.abandon()
		return Set{}, fmt.Errorf("storing artifact set %q: %w", id, err)
	}
	return row.public(id), nil
}

// run takes the tar in and publishes the set.
func (in *intake) run(meta SetMeta, r io.Reader) (*setRow, error) {
	if err := in.readTar(r); err != nil {
		return nil, err
	}
	if err := in.finish(); err != nil {
		return nil, err
	}
	row := &setRow{Gen: in.gen, Name: meta.Name, Created: in.s.now().UnixNano(), Notes: in.allNotes()}
	if err := in.measure(row); err != nil {
		return nil, err
	}
	failpoint.Pass("6/files-written")
	return row, in.publish(row)
}

// measure counts what the manifest holds now that duplicates have replaced each other, and refuses a path below
// something that is not a directory.
func (in *intake) measure(row *setRow) error {
	var last string
	return in.s.eachFile(in.ctx, in.gen, func(name string, f *fileRow) error {
		row.Files++
		row.Bytes += f.Size
		return in.checkParents(name, &last)
	})
}

func (in *intake) checkParents(name string, last *string) error {
	var bad string
	err := in.s.view(func(tx *bolt.Tx) error {
		files, err := manifestFiles(tx, in.gen)
		if err != nil {
			return err
		}
		for dir := range above(name) {
			if len(*last) > len(dir) && (*last)[:len(dir)+1] == dir+"/" {
				continue // names come sorted, so this one was looked at with the name before
			}
			v := files.Get([]byte(dir))
			if v == nil {
				continue
			}
			f, err := parseFile(v)
			if err != nil {
				return err
			}
			if !fs.FileMode(f.Mode).IsDir() {
				bad = dir
			}
		}
		return nil
	})
	*last = name
	if err == nil && bad != "" {
		err = &InputError{Entry: name, Reason: fmt.Sprintf("it lies below %.200q, which is not a directory", bad)}
	}
	return err
}

// publish makes the set visible, and a former one of its id garbage.
func (in *intake) publish(row *setRow) error {
	return in.s.lane.write(in.ctx, func(tx *bolt.Tx) error {
		if _, err := dropSet(tx, in.id); err != nil {
			return err
		}
		return errors.Join(
			setState(tx, row.Gen, stateVisible),
			tx.Bucket(ageBucket).Put(ageKey(row.Created, kindSet, in.id), []byte{}),
			addTotals(tx, totals{Sets: 1, SetBytes: row.Bytes}),
			putSet(tx, in.id, row))
	})
}

// abandon leaves what was written to Collect. Should this fail, the next Open does it.
func (in *intake) abandon() {
	_ = in.settle() // the outcome no longer matters, but that it is over does
	if in.segment != nil {
		in.segment.release()
		in.s.removeSegments(in.ctx)
	}
	if in.gen == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(in.ctx), 10*time.Second)
	defer cancel()
	err := in.s.lane.write(ctx, func(tx *bolt.Tx) error {
		if tx.Bucket(gensBucket).Get(key(in.gen)) == nil {
			return nil
		}
		return setState(tx, in.gen, stateDoomed)
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		in.s.log.Warn("an unfinished artifact set stays until the next start", "set", in.id, "error", err)
	}
}

func (in *intake) release() {
	if in.overlaps {
		<-in.s.overlap
	}
}

// sourceReader tells trouble of reading from trouble with what was read: archive/tar returns both alike.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// explain turns an error of the tar reader into ours.
func (s *sourceReader) explain(entry string, err error) error {
	var input *InputError
	switch {
	case s.err != nil:
		return fmt.Errorf("reading the tar: %w", s.err)
	case errors.As(err, &input):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &InputError{Entry: entry, Reason: "the tar ends in the middle", Err: err}
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return &InputError{Entry: entry, Reason: "the tar is malformed", Err: err}
	}
	return err
}
