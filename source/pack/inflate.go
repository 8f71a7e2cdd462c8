package pack

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zlib"
)

// inflater inflates entries one after the other with one decompressor, because making one costs more than most
// objects do.
type inflater struct {
	src bytes.Reader
	zr  io.ReadCloser
}

var errInflate = errors.New("the deflated data is damaged")

// start begins to inflate the bytes at the head of raw.
func (f *inflater) start(raw []byte) (io.Reader, error) {
	f.src.Reset(raw)
	if f.zr == nil {
		zr, err := zlib.NewReader(&f.src)
		if err != nil {
			return nil, errInflate
		}
		f.zr = zr
		return zr, nil
	}
	if err := f.zr.(zlib.Resetter).Reset(&f.src, nil); err != nil {
		return nil, errInflate
	}
	return f.zr, nil
}

// inflate returns exactly size bytes, and proves their checksum.
func (f *inflater) inflate(raw []byte, size, limit int64) ([]byte, error) {
	if limit > 0 && size > limit {
		return nil, &LimitError{What: OneObject, Got: size, Limit: limit}
	}
	if size > int64(len(raw))*maxRatio {
		return nil, errInflate
	}
	r, err := f.start(raw)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, errInflate
	}
	return out, atEnd(r)
}

// copyTo inflates exactly size bytes into w without holding them.
func (f *inflater) copyTo(w io.Writer, raw []byte, size int64) error {
	r, err := f.start(raw)
	if err != nil {
		return err
	}
	checked := &sourceErrors{r: io.LimitReader(r, size)}
	n, err := io.Copy(w, checked)
	switch {
	case checked.failed || err == nil && n != size:
		return errInflate
	case err != nil:
		return err
	}
	return atEnd(r)
}

// atEnd expects the end of the stream, which is where the checksum is compared.
func atEnd(r io.Reader) error {
	var one [1]byte
	if n, err := r.Read(one[:]); n != 0 || err != io.EOF {
		return errInflate
	}
	return nil
}

// sourceErrors remembers whether it was reading that failed, not writing.
type sourceErrors struct {
	r      io.Reader
	failed bool
}

func (s *sourceErrors) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.failed = s.failed || err != nil && err != io.EOF
	return n, err
}
