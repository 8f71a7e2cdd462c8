package pack

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// Limits bound what Ingest accepts. Zero means no limit.
type Limits struct {
	PackBytes   int64 // of the packfile as it comes
	ObjectBytes int64 // of one object that must be held in memory
	Objects     int64 // entries
}

// Staged is a pack that was read whole, found good, and is not yet part of the mirror.
type Staged struct {
	Path    string // of the .pack file; empty when the stream held no object
	Name    string // pack-<checksum>
	Objects int
	Bytes   int64
	Thin    int // bases that had to be appended
}

// Ingest reads one packfile from r into dir (see the package's description), which must be on the file system of
// the mirror. Bases that the pack leaves out are taken from base, which may be nil.
func Ingest(ctx context.Context, r io.Reader, dir string, base *Objects, limits Limits) (*Staged, error) {
	f, err := os.CreateTemp(dir, "incoming-*.pack")
	if err != nil {
		return nil, fmt.Errorf("staging a pack: %w", err)
	}
	s, err := ingest(ctx, r, f, base, limits)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil || s.Path == "" {
		_ = os.Remove(f.Name())
		_ = os.Remove(indexPath(f.Name()))
	}
	return s, err
}

func ingest(ctx context.Context, r io.Reader, f *os.File, base *Objects, limits Limits) (*Staged, error) {
	in := newIncoming(ctx, r, f, limits)
	if err := in.scan(); err != nil {
		return nil, in.explain(err)
	}
	if len(in.entries) == 0 {
		return &Staged{}, nil
	}
	if err := in.checkSum(); err != nil {
		return nil, err
	}
	if err := in.resolve(); err != nil {
		return nil, in.explain(err)
	}
	thin, err := in.complete(base)
	if err != nil {
		return nil, in.explain(err)
	}
	return in.finish(thin)
}

// finish writes the index and makes both files durable.
func (in *incoming) finish(thin int) (*Staged, error) {
	places := make([]place, len(in.entries))
	end := in.size - packTrailer
	data, err := in.mapped()
	if err != nil {
		return nil, err
	}
	defer unmap(data)
	for i := len(in.entries) - 1; i >= 0; i-- {
		e := &in.entries[i]
		places[i] = place{e.id, crc32.ChecksumIEEE(data[e.offset:end]), e.offset}
		end = e.offset
	}
	var sum [20]byte
	copy(sum[:], data[in.size-packTrailer:])
	if err := in.file.Chmod(0o444); err != nil {
		return nil, err
	}
	if err := writeIndexFile(indexPath(in.file.Name()), places, sum); err != nil {
		return nil, err
	}
	if err := in.file.Sync(); err != nil {
		return nil, fmt.Errorf("writing a pack: %w", err)
	}
	return &Staged{
		Path: in.file.Name(), Name: "pack-" + ID(sum).String(),
		Objects: len(in.entries), Bytes: in.size, Thin: thin,
	}, nil
}

func writeIndexFile(path string, places []place, sum [20]byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	err = writeIndex(f, places, sum)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the index of a pack: %w", err)
	}
	return nil
}

// Open looks into the staged pack.
func (s *Staged) Open() (*Pack, error) { return Open(s.Path) }

// Publish moves the pack into a mirror's pack directory: the pack first, then the index, by which readers find it.
// Doing it twice is doing it once.
func (s *Staged) Publish(dir string) error {
	if s.Path == "" {
		return nil
	}
	to := filepath.Join(dir, s.Name+".pack")
	if _, err := os.Stat(indexPath(to)); err == nil {
		s.Discard()
		return nil
	}
	if err := os.Rename(s.Path, to); err != nil {
		return fmt.Errorf("publishing a pack: %w", err)
	}
	if err := os.Rename(indexPath(s.Path), indexPath(to)); err != nil {
		return fmt.Errorf("publishing the index of a pack: %w", err)
	}
	return syncDir(dir)
}

// Discard removes the staged files.
func (s *Staged) Discard() {
	if s.Path != "" {
		_ = os.Remove(s.Path)
		_ = os.Remove(indexPath(s.Path))
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// checkSum compares the trailer with the bytes before it.
func (in *incoming) checkSum() error {
	data, err := in.mapped()
	if err != nil {
		return err
	}
	defer unmap(data)
	end := len(data) - packTrailer
	if sum := sha1.Sum(data[:end]); !bytes.Equal(sum[:], data[end:]) { //nolint:gosec // as above
		return &CorruptError{Offset: int64(end), Reason: "the checksum does not match: the pack was cut short or changed"}
	}
	return nil
}

// rewrite puts the number of entries into the header and a new checksum at the end, after bases were appended.
func (in *incoming) rewrite() error {
	var count [4]byte
	binary.BigEndian.PutUint32(count[:], uint32(len(in.entries)))
	if _, err := in.file.WriteAt(count[:], 8); err != nil {
		return err
	}
	sum := sha1.New() //nolint:gosec // as above
	if _, err := io.Copy(sum, io.NewSectionReader(in.file, 0, in.size)); err != nil {
		return err
	}
	if _, err := in.file.WriteAt(sum.Sum(nil), in.size); err != nil {
		return err
	}
	in.size += packTrailer
	return nil
}

// mapped maps the file as far as it is written.
func (in *incoming) mapped() ([]byte, error) { return mapFile(in.file.Name()) }
