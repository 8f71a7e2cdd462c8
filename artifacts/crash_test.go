package artifacts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/leak"
)

// crashEnv names the store that the child of TestKilledInTheMiddle writes to.
const crashEnv = "RUNNER_TEST_CRASH_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		crashChild(path)
		return
	}
	if path := os.Getenv(cacheCrashEnv); path != "" {
		cacheCrashChild(path)
		return
	}
	leak.Main(m)
}

// crashSet is the content of turn n of set i, the same in parent and child.
func crashSet(i, n int) entry {
	size := 300_000 + n*200_000
	if i == 0 {
		size += 2 * segmentMin // large enough for a segment
	}
	return entry{name: fmt.Sprintf("turn-%d", n), body: noise(uint64(i*1000+n), size)}
}

func crashLine(i, frame int) string {
	return fmt.Sprintf("log %d frame %d %s\n", i, frame, strings.Repeat("x", frame%97))
}

// crashChild writes until it is killed. It prints what is durable, after it is.
func crashChild(path string) {
	s, err := Open(path, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	var t testing.T // for the signature of tarOf, which uses it only when it fails
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			for n := 0; n < 40; n++ {
				if _, err := s.PutTar(context.Background(), fmt.Sprint("set", i), SetMeta{}, bytes.NewReader(tarOf(&t, crashSet(i, n), text("n", strconv.Itoa(n)))), Limits{}); err != nil {
					say("error %v", err)
				}
				say("set %d %d", i, n)
			}
		})
		all.Go(func() {
			st, err := s.LogState(fmt.Sprint("log", i))
			for frame := int(st.LastFrame) + 1; err == nil || gone(err); frame++ {
				if err = s.AppendLog(context.Background(), fmt.Sprint("log", i), uint64(frame), []byte(crashLine(i, frame))); err == nil && frame%10 == 0 {
					say("log %d %d", i, frame)
				}
			}
		})
	}
	all.Go(func() {
		for {
			if _, err := s.Collect(context.Background()); err != nil {
				say("error %v", err)
			}
		}
	})
	all.Wait()
}

// TestKilledInTheMiddle kills a writing child again and again, and looks at what it left.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	sets, logs := map[int]int{}, map[int]int{}
	for turn := range turns(3, 5) {
		out := killedChild(t, path, 4+3*turn, time.Duration(turn*7)*time.Millisecond)
		turnSets := map[int]int{}
		for line := range strings.Lines(out) {
			var i, n int
			switch {
			case strings.HasPrefix(line, "error"):
				t.Fatalf("child: %s", line)
			case scan(line, "set %d %d\n", &i, &n):
				turnSets[i] = n
			case scan(line, "log %d %d\n", &i, &n):
				logs[i] = max(logs[i], n)
			}
		}
		for i, n := range turnSets {
			sets[i] = n
		}
		s, err := Open(path, Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		clean(t, s)
		for i := range 3 {
			wholeSet(t, s, i, turnSets)
			wholeLog(t, s, i, logs[i])
		}
		collect(t, s)
		clean(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(sets) == 0 || len(logs) == 0 {
		t.Fatalf("the child got nothing done: sets %v, logs %v", sets, logs)
	}
}

// killedChild lets a child report so many durable writes, waits a little, and kills it.
func killedChild(t *testing.T, path string, lines int, after time.Duration) string {
	t.Helper()
	return killedChildOf(t, crashEnv, path, lines, after)
}

// killedChildOf does so with the child that the variable env makes.
func killedChildOf(t *testing.T, env, path string, lines int, after time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env+"="+path)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	in := bufio.NewReader(stdout)
	for range lines {
		line, err := in.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			break
		}
	}
	time.Sleep(after) // to be killed at another moment each time
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	said.Write(rest)
	_ = cmd.Wait() // it was killed
	return said.String()
}

func scan(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	return err == nil && n == len(args)
}

// wholeSet proves that a set is one that was put, whole, and not an older one than was promised.
func wholeSet(t *testing.T, s *Store, i int, promised map[int]int) {
	t.Helper()
	id := fmt.Sprint("set", i)
	least, ok := promised[i]
	set, err := s.Set(id)
	if gone(err) && !ok {
		return
	}
	if err != nil {
		t.Fatalf("%s: %v, promised turn %d", id, err, least)
	}
	n, err := strconv.Atoi(string(content(t, s, id, "n")))
	if err != nil || n < least && ok || len(set.Files) != 2 {
		t.Fatalf("%s is of turn %d with %d files (%v), promised %d", id, n, len(set.Files), err, least)
	}
	want := crashSet(i, n)
	if got := content(t, s, id, want.name); !bytes.Equal(got, want.body) {
		t.Fatalf("%s of turn %d has other content", id, n)
	}
}

func wholeLog(t *testing.T, s *Store, i, promised int) {
	t.Helper()
	id := fmt.Sprint("log", i)
	st, err := s.LogState(id)
	if err != nil {
		if promised > 0 || !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s: %v, promised frame %d", id, err, promised)
		}
		return
	}
	var want strings.Builder
	for frame := 1; frame <= int(st.LastFrame); frame++ {
		want.WriteString(crashLine(i, frame))
	}
	got, err := io.ReadAll(s.ReadLog(t.Context(), id, 0, false))
	if err != nil || string(got) != want.String() || int(st.LastFrame) < promised {
		t.Fatalf("%s has %d bytes to frame %d (%v), want %d to frame %d or later", id, len(got), st.LastFrame, err, want.Len(), promised)
	}
}
