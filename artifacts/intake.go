package artifacts

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

const (
	// smallFile is the size below which files travel together in a chunk.
	smallFile = 64 << 10
	// packCut is the size from which on such a chunk may end early, at a file chosen by its hash.
	packCut  = 64 << 10
	maxNotes = 20
)

// intake is one run of PutTar.
type intake struct {
	s    *Store
	ctx  context.Context
	id   string
	gen  uint64 // 0 until the first group is written
	left int64  // bytes that may still come
	max  Limits

	files   int
	notes   []string
	dropped int // notes not kept

	dull  bool       // the chunk before, of the same file, did not compress
	buf   []byte     // content of the chunk being filled
	small []*newFile // files that end in buf, awaiting its reference
	group *group     // being filled
	busy  *group     // being written
	wrote chan error // its outcome
	spare []byte     // an arena to be used again

	segment *segment // being written, when the set is a large one
	pending group    // chunks that lie in it, and the files that wait for their being in the index
	lately  map[[32]byte]*chunkRef

	overlaps bool // holds the store's one place for a put with two groups in memory
}

// newFile is a file on its way into the manifest.
type newFile struct {
	path string
	row  fileRow
	refs []*chunkRef
}

func newIntake(ctx context.Context, s *Store, id string, limits Limits) *intake {
	if limits.Bytes <= 0 {
		limits.Bytes = DefaultMaxBytes
	}
	if limits.Files <= 0 {
		limits.Files = DefaultMaxFiles
	}
	return &intake{s: s, ctx: ctx, id: id, left: limits.Bytes, max: limits, group: &group{}, wrote: make(chan error, 1)}
}

// readTar takes in every entry. Only whole groups have been written when it returns.
func (in *intake) readTar(r io.Reader) error {
	src := &sourceReader{r: r}
	tr := tar.NewReader(bufio.NewReaderSize(src, 128<<10))
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return src.explain("", err)
		}
		if err := in.entry(hdr, tr); err != nil {
			return src.explain(hdr.Name, err)
		}
	}
}

func (in *intake) entry(hdr *tar.Header, content io.Reader) error {
	if err := in.ctx.Err(); err != nil {
		return err
	}
	name, problem := cleanName(hdr.Name)
	if problem != "" {
		return &InputError{Entry: hdr.Name, Reason: problem}
	}
	if err := in.charge(hdr); err != nil {
		return err
	}
	f := &newFile{path: name, row: fileRow{Mode: uint32(hdr.Mode & 0o777), Time: saneTime(hdr.ModTime)}}
	switch hdr.Typeflag {
	case tar.TypeDir:
		f.row.Mode |= uint32(fs.ModeDir)
	case tar.TypeSymlink:
		f.row.Mode |= uint32(fs.ModeSymlink)
		f.row.Link = []byte(hdr.Linkname)
		if problem := linkProblem(name, hdr.Linkname); problem != "" {
			in.note(fmt.Sprintf("link %.200q to %.200q was left out: %s", name, hdr.Linkname, problem))
			return nil
		}
	case tar.TypeReg, tar.TypeGNUSparse:
		return in.regular(f, hdr.Size, content)
	default:
		return &InputError{Entry: hdr.Name, Reason: fmt.Sprintf("it is of type %q, want a regular file, a directory or a symbolic link", hdr.Typeflag)}
	}
	if name == "." {
		return nil // the root needs no entry
	}
	return in.addFile(f)
}

// charge counts an entry against the limits, before its content is read. Names count as content: a tar of nothing
// but long names costs as much.
func (in *intake) charge(hdr *tar.Header) error {
	in.files++
	if in.files > in.max.Files {
		return &InputError{Entry: hdr.Name, Reason: fmt.Sprintf("there are more than %d files; raise the limit, or pack them", in.max.Files), Err: ErrLimit}
	}
	names := int64(len(hdr.Name) + len(hdr.Linkname))
	if hdr.Size < 0 || hdr.Size > in.left-names {
		return &InputError{Entry: hdr.Name, Reason: fmt.Sprintf("the set is larger than %d bytes; raise the limit, or keep less", in.max.Bytes), Err: ErrLimit}
	}
	in.left -= hdr.Size + names
	return nil
}

// saneTime drops a time that no file system and no archive can hold.
func saneTime(t time.Time) int64 {
	if sec := t.Unix(); sec > 0 && sec < 1<<32 {
		return sec
	}
	return 0
}

func (in *intake) note(text string) {
	if len(in.notes) == maxNotes {
		in.dropped++
		return
	}
	in.notes = append(in.notes, text)
}

func (in *intake) allNotes() []string {
	if in.dropped > 0 {
		return append(in.notes, fmt.Sprintf("and %d more", in.dropped))
	}
	return in.notes
}

func (in *intake) regular(f *newFile, size int64, content io.Reader) error {
	if f.path == "." {
		return &InputError{Entry: ".", Reason: "the root is not a directory"}
	}
	f.row.Size, f.row.Span = size, int64(in.s.chunkBytes)
	if size < smallFile {
		return in.smallFile(f, content)
	}
	return in.largeFile(f, content)
}

// smallFile appends a file to the chunk that small files share.
func (in *intake) smallFile(f *newFile, content io.Reader) error {
	size := int(f.row.Size)
	if len(in.buf)+size > in.s.chunkBytes {
		if err := in.flushChunk(); err != nil {
			return err
		}
	}
	at := len(in.buf)
	in.reserve(at + size)
	in.buf = in.buf[:at+size]
	if _, err := io.ReadFull(content, in.buf[at:]); err != nil {
		return err
	}
	sum := sha256.Sum256(in.buf[at:])
	f.row.SHA = sum[:]
	if size == 0 {
		return in.addFile(f)
	}
	f.row.Offset = int64(at)
	in.small = append(in.small, f)
	if len(in.buf) >= packCut && sum[0]&3 == 0 {
		return in.flushChunk()
	}
	return nil
}

// largeFile cuts a file into chunks of its own.
func (in *intake) largeFile(f *newFile, content io.Reader) error {
	if err := in.flushChunk(); err != nil {
		return err
	}
	sum := sha256.New()
	in.dull = false
	for left := f.row.Size; left > 0; {
		n := int(min(left, int64(in.s.chunkBytes)))
		in.reserve(n)
		in.buf = in.buf[:n]
		if _, err := io.ReadFull(content, in.buf); err != nil {
			return err
		}
		left -= int64(n)
		var hashed sync.WaitGroup // the file's hash beside the chunk's: hashing is half of a put's work
		hashed.Go(func() { sum.Write(in.buf) })
		ref, err := in.addChunk(in.buf)
		hashed.Wait()
		if err != nil {
			return err
		}
		f.refs = append(f.refs, ref)
		in.buf = in.buf[:0]
	}
	f.row.SHA = sum.Sum(nil)
	return in.addFile(f)
}

// reserve makes room for n bytes in buf: a little for a little set, a chunk for any other.
func (in *intake) reserve(n int) {
	if n <= cap(in.buf) {
		return
	}
	size := in.s.chunkBytes
	if n <= smallFile {
		size = smallFile
	}
	in.buf = append(make([]byte, 0, max(size, n)), in.buf...)
}

// flushChunk ends the chunk that small files share.
func (in *intake) flushChunk() error {
	if len(in.small) == 0 {
		return nil
	}
	in.dull = false
	ref, err := in.addChunk(in.buf)
	if err != nil {
		return err
	}
	in.buf = in.buf[:0]
	files := in.small
	in.small = nil
	for _, f := range files {
		f.refs = []*chunkRef{ref}
		if err := in.addFile(f); err != nil {
			return err
		}
	}
	return nil
}
