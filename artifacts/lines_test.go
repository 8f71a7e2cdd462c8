package artifacts

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// lined is a log of appends of many sizes, some of which end within a line.
func lined(t *testing.T, s *Store, id string, r *rand.Rand, appends int) (text []byte) {
	t.Helper()
	for frame := uint64(1); frame <= uint64(appends); frame++ {
		var p []byte
		for size := []int{1, 90, 3000, 70_000, 500_000}[r.IntN(5)]; len(p) < size; {
			p = append(p, bytes.Repeat([]byte("x"), r.IntN([]int{2, 80, 400, 40_000}[r.IntN(4)]))...)
			if r.IntN(9) > 0 {
				p = append(p, '\n')
			}
		}
		appendLog(t, s, id, frame, p)
		text = append(text, p...)
	}
	return text
}

// holdLines compares what the store says of the lines of a log with its text.
func holdLines(t *testing.T, s *Store, id string, text []byte, r *rand.Rand) {
	t.Helper()
	starts := []int64{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, int64(i+1))
		}
	}
	ends := int64(len(starts) - 1)
	open := starts[ends] != int64(len(text))
	want := LogLines{Lines: ends, Open: open, Bytes: int64(len(text))}
	if open {
		want.Lines++
	}
	got, err := s.LogLines(t.Context(), id)
	if got.Sealed = false; err != nil || got != want {
		t.Fatalf("lines are %+v (%v), want %+v", got, err, want)
	}
	for range 60 {
		n := r.Int64N(ends + 1)
		if offset, err := s.LineOffset(t.Context(), id, n); err != nil || offset != starts[n] {
			t.Fatalf("line %d begins at %d (%v), want %d", n, offset, err, starts[n])
		}
	}
	for _, n := range []int64{ends + 1, ends + 1000} {
		if offset, err := s.LineOffset(t.Context(), id, n); err != nil || offset != int64(len(text)) {
			t.Fatalf("line %d, which is none, begins at %d (%v), want %d", n, offset, err, len(text))
		}
	}
	var offsets, lines []int64
	for at := int64(0); at <= int64(len(text))+5; at += 1 + r.Int64N(int64(len(text)/20+2)) {
		offsets = append(offsets, at)
		lines = append(lines, int64(bytes.Count(text[:min(at, int64(len(text)))], newline)))
	}
	if got, err := s.LinesAt(t.Context(), id, offsets); err != nil || fmt.Sprint(got) != fmt.Sprint(lines) {
		t.Fatalf("lines at %d are %d (%v), want %d", offsets, got, err, lines)
	}
}

func TestLinesAreFound(t *testing.T) {
	t.Parallel()
	for seed := range turns[uint64](2, 6) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := newStore(t)
		text := lined(t, s, "job", r, 1+r.IntN(40))
		holdLines(t, s, "job", text, r)
		if err := s.SealLog(t.Context(), "job"); err != nil {
			t.Fatal(err)
		}
		if err := s.Share(t.Context(), []Share{{From: "job", To: "again", Log: true}}); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveLog(t.Context(), "job"); err != nil {
			t.Fatal(err)
		}
		holdLines(t, s, "again", text, r)
		clean(t, s)
	}
}

// TestLinesOfAnOlderProgramsLogAreRead takes the marks of logs away, as those have none that an older program wrote; one of them
// goes on.
func TestLinesOfAnOlderProgramsLogAreRead(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 7))
	s := newStore(t)
	texts := map[string][]byte{}
	for i := range maxUnmarked + 3 {
		id := fmt.Sprint("job", i)
		texts[id] = lined(t, s, id, r, 3)
		err := s.lane.write(t.Context(), func(tx *bolt.Tx) error {
			row, err := readLog(tx, id)
			row.Open, row.Lines, row.MarkOffset, row.MarkTime, row.Marked = false, 0, 0, 0, false
			short := encode(&row)[:shortLogRow]
			return errors.Join(err, tx.Bucket(marksBucket).DeleteBucket(key(row.Gen)), tx.Bucket(logsBucket).Put([]byte(id), short))
		})
		if err != nil {
			t.Fatal(err)
		}
		holdLines(t, s, id, texts[id], r)
	}
	if n := len(s.unmarked.logs); n != maxUnmarked {
		t.Errorf("%d logs are remembered", n)
	}
	more := []byte("more\nand more")
	appendLog(t, s, "job3", 99, more)
	holdLines(t, s, "job3", append(texts["job3"], more...), r)
	holdLines(t, s, "job0", texts["job0"], r) // forgotten meanwhile
	if times, err := s.LogTimes(t.Context(), "job3", 0, 1<<40); err != nil || len(times) != 0 {
		t.Errorf("its times are %v, %v", times, err)
	}
	clean(t, s)
}

func TestMarksAreFewAndTellTheTime(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	opts := quiet()
	opts.Now = func() time.Time { return now }
	s, err := Open(filepath.Join(t.TempDir(), "artifacts.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for frame := range uint64(100) { // 10 s
		appendLog(t, s, "job", frame+1, []byte("a line\n"))
		now = now.Add(100 * time.Millisecond)
	}
	times, err := s.LogTimes(t.Context(), "job", 0, 1<<40)
	if err != nil || len(times) != 10 {
		t.Fatalf("%d marks, %v", len(times), err)
	}
	for i, m := range times {
		if want := (LogTime{int64(i) * 70, now.Add(time.Duration(i-10) * time.Second)}); m.Offset != want.Offset || !m.At.Equal(want.At) {
			t.Errorf("mark %d is %v, want %v", i, m, want)
		}
	}
	if times, err = s.LogTimes(t.Context(), "job", 75, 141); err != nil || len(times) != 2 || times[0].Offset != 70 || times[1].Offset != 140 {
		t.Errorf("those of two lines are %v, %v", times, err)
	}
	appendLog(t, s, "flood", 1, bytes.Repeat([]byte("\n"), 3*markBytes+1))
	if times, err = s.LogTimes(t.Context(), "flood", 0, 1<<40); err != nil || len(times) != 4 {
		t.Errorf("a flood has the marks %v, %v", times, err)
	}
	if _, err := s.LineOffset(t.Context(), "none", 3); !gone(err) {
		t.Errorf("lines of a log that is not there: %v", err)
	}
	clean(t, s)
	for _, id := range []string{"job", "flood"} {
		if err := s.RemoveLog(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	clean(t, s)
}
