//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"sync"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// spool is the record of the job: a file to which each frame is appended with one write, before anybody is told.
// The file is opened once. What a job does to it or to its name afterwards destroys the job's own record only.
type spool struct {
	dir    *os.Root
	file   *os.File
	wake   func()        // called after each append
	broken chan struct{} // closed by the first failure to append

	mu       sync.Mutex
	seq      uint64 // the newest frame
	inFile   uint64 // the newest frame that the disk took and that may be sent
	held     bool   // new frames may not be sent yet
	size     int64  // bytes that we appended, and found at the start
	marks    []mark
	line     []byte
	half     bool     // the last write failed midway
	failed   error    // the first failure to append
	overflow [][]byte // frames that the disk did not take
}

// mark remembers where a frame lies, so that a reader who attaches late need not read from the start.
type mark struct {
	seq uint64
	off int64
}

// markEvery is how many bytes lie between marks: at most that much is read in vain.
const markEvery = 1 << 20

// maxOverflow bounds the frames kept in memory when the disk is full. They are results, not log.
const maxOverflow = 1024

// former is what an existing spool tells of the agent that wrote it.
type former struct {
	frames bool // there is at least one frame
	done   bool // the last word was said
}

// openSpool opens the record below dir, or makes it. wake is called after each frame.
func openSpool(dir string, wake func()) (*spool, former, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, former{}, fmt.Errorf("opening the spool's directory: %w", err)
	}
	s := &spool{dir: root, wake: wake, broken: make(chan struct{})}
	const flags = os.O_RDWR | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	s.file, err = root.OpenFile(wire.SpoolFile, flags|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if s.file, err = root.OpenFile(wire.SpoolFile, flags, 0o600); err == nil {
			return s.reopen()
		}
	}
	if err != nil {
		root.Close()
		return nil, former{}, fmt.Errorf("opening the spool: %w", err)
	}
	return s, former{}, nil
}

// reopen goes on after what a former agent wrote into the same spool.
func (s *spool) reopen() (*spool, former, error) {
	var was former
	info, err := s.file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s in the spool's directory is no regular file", wire.SpoolFile)
	}
	if err != nil {
		s.close()
		return nil, was, fmt.Errorf("opening the spool: %w", err)
	}
	r := wire.NewReader(s.file)
	for {
		f, err := r.Read()
		if version := new(wire.VersionError); errors.As(err, &version) {
			continue
		}
		if err != nil {
			break
		}
		was.frames = true
		was.done = was.done || f.Kind == wire.KindDone
		s.seq = max(s.seq, f.Seq)
		s.inFile = s.seq
		s.marked(f.Seq, r.Offset())
	}
	s.size = info.Size()
	s.half = s.size > 0
	return s, was, nil
}

func (s *spool) marked(seq uint64, end int64) {
	if n := len(s.marks); n == 0 || end-s.marks[n-1].off >= markEvery {
		s.marks = append(s.marks, mark{seq: seq, off: end})
	}
}

func (s *spool) close() {
	s.file.Close()
	s.dir.Close()
}

// add appends one frame.
func (s *spool) add(body wire.Body) {
	f, err := wire.Encode(0, body)
	if err != nil {
		return // no body of ours fails to encode
	}
	s.append(func(dst []byte, seq uint64) []byte {
		f.Seq = seq
		line, err := wire.AppendFrame(dst, f)
		if err != nil { // a body too long for a line: its kind must arrive all the same
			line, _ = wire.AppendFrame(dst, wire.Frame{Seq: seq, Kind: f.Kind, Body: []byte("{}")})
		}
		return line
	})
}

// addLog appends one frame of output and returns the bytes it took in the spool.
func (s *spool) addLog(data []byte) int {
	return s.append(func(dst []byte, seq uint64) []byte { return wire.AppendLog(dst, seq, data) })
}

func (s *spool) append(encode func(dst []byte, seq uint64) []byte) int {
	s.mu.Lock()
	s.line = s.line[:0]
	if s.half {
		s.line = append(s.line, '\n') // ends the half line, so that this one can be read
	}
	s.line = encode(s.line, s.seq+1)
	n := len(s.line)
	s.seq++
	written, err := s.file.Write(s.line)
	s.size += int64(written)
	s.half = err != nil && (written > 0 || s.half)
	switch {
	case err == nil:
		if !s.held {
			s.inFile = s.seq
		}
		s.marked(s.seq, s.size)
	case len(s.overflow) < maxOverflow && n <= 4*wire.MaxCommandText:
		s.overflow = append(s.overflow, append([]byte(nil), s.line...))
		fallthrough
	default:
		if s.failed == nil {
			s.failed = fmt.Errorf("appending to the spool: %w", err)
			close(s.broken)
		}
	}
	s.mu.Unlock()
	s.wake()
	return n
}

// failure returns why the record could not be kept, if so.
func (s *spool) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// newest returns the number of the newest frame.
func (s *spool) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seq
}

// before returns an offset from which every frame after seq can be found.
func (s *spool) before(seq uint64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].seq > seq })
	if i == 0 {
		return 0
	}
	return s.marks[i-1].off
}

// conclude appends the last frame, makes the whole record durable, and only then lets the frame be sent.
func (s *spool) conclude(done wire.Done) error {
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
	s.add(done)
	syncing := s.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	s.held = false
	if s.failed == nil {
		s.inFile = s.seq
	}
	return errors.Join(syncing, s.failed)
}

// extent returns the newest frame in the file that may be sent, and the lines of those that the disk did not take.
func (s *spool) extent() (inFile uint64, extra [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFile, s.overflow[:len(s.overflow):len(s.overflow)]
}

// sync makes the record durable.
func (s *spool) sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing the spool: %w", err)
	}
	return nil
}
