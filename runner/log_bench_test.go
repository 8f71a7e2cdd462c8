package runner

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// benchFrames are log frames of 16 MiB of lines, as an agent spools them.
func benchFrames(b *testing.B) (frames []byte, size int) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, 1))
	var text []byte
	for size = 0; size < 16<<20; size += len(text) {
		text = text[:0]
		for len(text) < wire.MaxLogData-100 {
			text = fmt.Appendf(text, "%07d %.12f ok internal/package/%06d passed in\n", rnd.IntN(1e7), rnd.Float64(), rnd.IntN(1e6))
		}
		frames = wire.AppendLog(frames, 0, text)
	}
	return frames, size
}

// stream is a connection that brings frames, numbered anew, and takes what is said.
type stream struct {
	io.Reader
	io.Writer
}

func (stream) Close() error { return nil }

// BenchmarkTakeLog is the daemon's part of a log: from the connection to the store. It is synced in the end alone, so
// that it is our work which is measured, not the disk.
func BenchmarkTakeLog(b *testing.B) {
	frames, size := benchFrames(b)
	store := newStore(b)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	turn := 0
	for b.Loop() {
		turn++
		rec, err := newRecorder(store, fmt.Sprint("log", turn), 0, &told{})
		if err != nil {
			b.Fatal(err)
		}
		rec.mask = newRemask([]string{"a-password-of-the-job", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"})
		p := startPump(stream{bytes.NewReader(frames), io.Discard})
		for f := range p.frames {
			f.Seq = rec.last() + 1
			if _, err := rec.take(f); err != nil {
				b.Fatal(err)
			}
			p.taken(f)
			if err := rec.keep(b.Context(), false); err != nil {
				b.Fatal(err)
			}
		}
		if err := rec.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		p.close()
	}
}
