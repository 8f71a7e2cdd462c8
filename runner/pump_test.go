package runner

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/runner-ci/runner/runner/wire"
)

// A job can write to its agent's output. While a flush takes its time, the daemon must not hold what it writes.
func TestAPumpHoldsLittleOfWhatAJobWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := startPump(ours)
		line, err := wire.AppendFrame(nil, wire.Frame{Seq: 1, Kind: "log", Body: bytes.Repeat([]byte{'1'}, 2<<20)})
		if err != nil {
			t.Fatal(err)
		}
		short := wire.AppendLog(nil, 2, []byte("x"))
		go func() {
			for range 8 {
				_, _ = theirs.Write(line)
			}
			_, _ = theirs.Write(short)
			_, _ = io.Copy(io.Discard, theirs)
		}()
		synctest.Wait()
		held := 0
		for range len(p.frames) {
			f := <-p.frames
			held += len(f.Body)
		}
		if held > 1<<20 || held == 0 {
			t.Errorf("%d bytes of frames are held, want the short one alone", held)
		}
		p.close()
		theirs.Close()
	})
}
