package parse

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/runner-ci/runner/tests"
)

// made is a file of about left bytes, made piece by piece.
type made struct {
	piece func(n int) string
	left  int
	n     int
	rest  string
}

func (m *made) Read(p []byte) (int, error) {
	if m.rest == "" {
		if m.left <= 0 {
			return 0, io.EOF
		}
		m.rest = m.piece(m.n)
		m.n++
		m.left -= len(m.rest)
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// heapAtEnd notes how much of the heap is in use when a file has been read to its end, before the parser returns.
type heapAtEnd struct {
	io.Reader
	used *uint64
}

func (h heapAtEnd) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err == io.EOF {
		*h.used = heap()
	}
	return n, err
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestNothingGrowsWithTheFile reads files of 80 MB that were made to be held in memory: names that are never closed, and
// lists of next to nothing.
func TestNothingGrowsWithTheFile(t *testing.T) {
	const size, most = 80 << 20, 48 << 20
	long := strings.Repeat("x", 900<<10)
	for _, c := range []struct {
		what, format, head string
		piece              func(n int) string
	}{
		{"elements with long names", JUnit, "", func(n int) string { return fmt.Sprintf("<a%d%s>", n, strings.Repeat(long, 7)) }},
		{"tests with long names", GoTest, "", func(n int) string {
			return fmt.Sprintf("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"%d%s\"}\n", n, long)
		}},
		{"many tests with names", GoTest, "", func(n int) string {
			return fmt.Sprintf("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"%d%s\"}\n", n, long[:4000])
		}},
		{"many packages with names", GoTest, "", func(n int) string {
			return fmt.Sprintf("{\"Action\":\"start\",\"Package\":\"%d%s\"}\n", n, long[:4000])
		}},
		{"what compilers say", GoTest, "", func(n int) string {
			return fmt.Sprintf("{\"Action\":\"build-output\",\"ImportPath\":\"p%d\",\"Output\":\"%s\"}\n", n%1000, long[:60000])
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			debug.FreeOSMemory()
			before, used := heap(), uint64(0)
			file := io.MultiReader(strings.NewReader(c.head), &made{piece: c.piece, left: size})
			_ = Parse(c.format, "x", heapAtEnd{file, &used}, Sink{Case: func(*tests.Case) error { return nil }})
			if used > before+most {
				t.Errorf("it holds %d MiB, want at most %d", (used-before)>>20, most>>20)
			}
		})
	}
}

// peak is the most that a parse has in use, looked at whenever it reads on and hands out a case.
func peak(t *testing.T, format string, file io.Reader) (most uint64) {
	t.Helper()
	debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	before := heap()
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	_ = Parse(format, "x", file, Sink{Case: func(*tests.Case) error { look(); return nil }})
	return most - min(before, most)
}

// TestTinyPiecesTakeLittle reads values that take forty times the memory that they take in the file, unless they are read
// one by one.
func TestTinyPiecesTakeLittle(t *testing.T) {
	for _, c := range []struct{ what, format, text string }{
		{"steps", Cucumber, `[{"uri":"u","name":"f","elements":[{"type":"scenario","name":"s","steps":[{}` + strings.Repeat(",{}", 2<<20) + `]}]}]`},
		{"hooks of a step", Cucumber, `[{"uri":"u","name":"f","elements":[{"type":"scenario","name":"s","steps":[{"before":[{}` + strings.Repeat(",{}", 2<<20) + `]}]}]}]`},
		{"attributes", JUnit, "<testsuite><testcase name='a' " + strings.Repeat("a='' ", 1<<20) + "/></testsuite>"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if used := peak(t, c.format, strings.NewReader(c.text)); used > 64<<20 {
				t.Errorf("it takes %d MiB to read %d, want at most 64", used>>20, len(c.text)>>20)
			}
		})
	}
}
