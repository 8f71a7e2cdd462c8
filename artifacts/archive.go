package artifacts

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// NamedSet is a set in an archive, and the directory it lies in there.
type NamedSet struct {
	Prefix string // relative, with slashes; empty for the archive's root
	ID     string
}

// WriteZip streams sets as one zip archive. All sets are looked up before the first byte is written; a set that is
// not there is an error wrapping fs.ErrNotExist. Links are kept as links, times and permissions too. A client that
// stalls holds up nobody.
func (s *Store) WriteZip(ctx context.Context, sets []NamedSet, w io.Writer) error {
	zw := zip.NewWriter(w)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	if err := s.walk(ctx, sets, zipEntries{zw}); err != nil {
		return fmt.Errorf("writing a zip: %w", err)
	}
	return zw.Close()
}

// WriteTarZst streams sets as one tar archive compressed with zstd, as WriteZip does.
func (s *Store) WriteTarZst(ctx context.Context, sets []NamedSet, w io.Writer) error {
	enc, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	tw := tar.NewWriter(enc)
	if err := s.walk(ctx, sets, tarEntries{tw}); err != nil {
		enc.Reset(nil) // no end marks: the archive must not look whole
		return fmt.Errorf("writing a tar: %w", err)
	}
	return errors.Join(tw.Close(), enc.Close())
}

// entries is an archive being written. The content of a regular file goes to the writer that add returns.
type entries interface {
	add(f File) (io.Writer, error)
}

// walk gives every file of the sets to out.
func (s *Store) walk(ctx context.Context, sets []NamedSet, out entries) error {
	sets = slices.Clone(sets) // prefixes are tidied below
	gens := make([]uint64, len(sets))
	prefixes := map[string]bool{}
	for i, set := range sets {
		prefix, err := cleanPrefix(set.Prefix)
		if err != nil {
			return err
		}
		if prefixes[prefix] {
			return fmt.Errorf("two sets have the prefix %q, want one each", set.Prefix)
		}
		prefixes[prefix] = true
		sets[i].Prefix = prefix
		row, release, err := s.pinSet(set.ID)
		if err != nil {
			return err
		}
		defer release()
		gens[i] = row.Gen
	}
	chunks := &chunkReader{segments: segmentReader{s: s}}
	defer chunks.close()
	for i, set := range sets {
		err := s.eachFile(ctx, gens[i], func(name string, f *fileRow) error {
			file := f.public(set.Prefix + name)
			w, err := out.add(file)
			if err == nil && file.Mode.IsRegular() {
				err = copyFile(ctx, w, chunks, f)
			}
			if err != nil {
				return fmt.Errorf("%.200q of set %q: %w", name, set.ID, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cleanPrefix returns the prefix with a slash at its end, or nothing.
func cleanPrefix(prefix string) (string, error) {
	if prefix == "" {
		return "", nil
	}
	clean, problem := cleanName(prefix)
	switch {
	case problem != "":
		return "", fmt.Errorf("prefix %.200q: %s", prefix, problem)
	case clean == ".":
		return "", nil
	}
	return clean + "/", nil
}

func copyFile(ctx context.Context, w io.Writer, chunks *chunkReader, f *fileRow) error {
	for pos := int64(0); pos < f.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := chunks.span(f, pos)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		pos += int64(len(b))
	}
	return nil
}

type zipEntries struct{ zw *zip.Writer }

func (z zipEntries) add(f File) (io.Writer, error) {
	hdr := &zip.FileHeader{Name: f.Path, Modified: f.ModTime, Method: zip.Deflate}
	hdr.SetMode(f.Mode)
	switch {
	case f.Mode.IsDir():
		hdr.Name += "/"
		hdr.Method = zip.Store
	case f.Mode&fs.ModeSymlink != 0: // in a zip, a link is a file that holds its target
		hdr.Method = zip.Store
	}
	w, err := z.zw.CreateHeader(hdr)
	if err == nil && f.Link != "" {
		_, err = io.WriteString(w, f.Link)
	}
	return w, err
}

type tarEntries struct{ tw *tar.Writer }

func (t tarEntries) add(f File) (io.Writer, error) {
	hdr := &tar.Header{Name: f.Path, Size: f.Size, Mode: int64(f.Mode.Perm()), ModTime: f.ModTime, Typeflag: tar.TypeReg}
	switch {
	case f.Mode.IsDir():
		hdr.Typeflag = tar.TypeDir
		hdr.Name += "/"
	case f.Mode&fs.ModeSymlink != 0:
		hdr.Typeflag, hdr.Linkname = tar.TypeSymlink, f.Link
	}
	return t.tw, t.tw.WriteHeader(hdr)
}
