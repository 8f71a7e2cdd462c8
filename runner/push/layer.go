package push

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// layer is a compressed layer in a file.
type layer struct {
	path   string
	digest v1.Hash
	diffID v1.Hash
	size   int64
}

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return os.Open(l.path) }

// sum is a SHA-256 that is being taken.
type sum struct{ hash.Hash }

func newSum() sum { return sum{sha256.New()} }

func (s sum) value() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(s.Sum(nil))}
}

// errLimit ends the reading of what is larger than it may be.
var errLimit = errors.New("it is larger than its limit")

// bounded fails once more than left bytes were read, or ctx has ended.
type bounded struct {
	ctx  context.Context
	r    io.Reader
	left *int64
}

func (b bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return n, errLimit
	}
	return n, err
}

// plain is a layer's tar, whether or not the engine compressed it, with no more than left bytes.
func plain(ctx context.Context, r io.Reader, left *int64) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if magic, err := b.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, bad("a layer cannot be decompressed: %v", err)
		}
		return bounded{ctx, z, left}, nil
	}
	return bounded{ctx, b, left}, nil
}

// makeLayer writes one layer, compressed, to a file. The layer's tar must have the hash want.
func makeLayer(ctx context.Context, r io.Reader, path string, want v1.Hash, when time.Time, left *int64) (*layer, error) {
	source, err := plain(ctx, r, left)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	was, diff, digest := newSum(), newSum(), newSum()
	counted := &counter{w: io.MultiWriter(file, digest)}
	z := gzip.NewWriter(counted)
	if err := settle(io.TeeReader(source, was), io.MultiWriter(z, diff), when); err != nil {
		return nil, err
	}
	if was.value() != want {
		return nil, bad("a layer has the hash %s, and its configuration says %s", was.value(), want)
	}
	if err := errors.Join(z.Close(), file.Close()); err != nil {
		return nil, err
	}
	return &layer{path: path, digest: digest.value(), diffID: diff.value(), size: counted.n}, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// settle copies a layer's tar. What is younger than when becomes as old as that: a build's own clock says nothing of what
// was built. It reads to the end, also behind the end of the tar.
func settle(r io.Reader, w io.Writer, when time.Time) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		if !when.IsZero() && h.ModTime.After(when) {
			h.ModTime = when
		}
		h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
		h.Format = tar.FormatPAX
		if err := out.WriteHeader(h); err != nil {
			return bad("a layer has an entry that cannot be written: %v", err)
		}
		if _, err := io.Copy(out, in); err != nil {
			return unreadable(err)
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return unreadable(err)
}

// unreadable tells what is wrong with the tar from what is not.
func unreadable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, errLimit) {
		return bad("its layers are larger than they may be")
	}
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return bad("a layer cannot be read: %v", err)
	}
	return err
}
