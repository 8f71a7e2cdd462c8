package artifacts

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTwoGibibytesInAndOut passes a 2 GiB artifact in, and out as a file and in a zip, while live logs are appended
// to and followed, and samples the memory that is the process's own. RUNNER_SLOW=1 runs it.
func TestTwoGibibytesInAndOut(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("passes 2 GiB through the disk; set RUNNER_SLOW=1 to run it")
	}
	const size, limit = 2 << 30, 100 << 20
	s, _ := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	debug.FreeOSMemory() // what other tests left
	most := sampleMemory(t)
	logs := appendWhile(t, s)
	time.Sleep(2 * time.Second)
	t.Logf("nothing else: %s", logs())

	logs = appendWhile(t, s)
	began := time.Now()
	sum := sha256.New()
	if _, err := s.PutTar(t.Context(), "set", SetMeta{}, noiseTar(t, size, sum), Limits{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("in: %v, %s", time.Since(began), logs())
	logs = appendWhile(t, s)
	began = time.Now()
	r, f, err := s.OpenFile(t.Context(), "set", "artifact")
	if err != nil {
		t.Fatal(err)
	}
	got := sha256.New()
	n, err := io.Copy(got, r)
	r.Close()
	if err != nil || n != size || f.SHA256 != hex.EncodeToString(got.Sum(nil)) || f.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		t.Fatalf("read %d bytes, %v; hashes differ or size is not %d", n, err, int64(size))
	}
	t.Logf("out: %v, %s", time.Since(began), logs())
	logs = appendWhile(t, s)
	began = time.Now()
	if err := s.WriteZip(t.Context(), []NamedSet{{ID: "set"}}, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Logf("out as a zip: %v, %s", time.Since(began), logs())
	if err := s.RemoveSet(t.Context(), "set"); err != nil {
		t.Fatal(err)
	}
	logs = appendWhile(t, s)
	began = time.Now()
	freed := collect(t, s)
	t.Logf("collecting %d bytes: %v, %s", freed.Bytes, time.Since(began), logs())
	bytes := most()
	t.Logf("RssAnon was %d MiB at most", bytes>>20)
	if bytes > limit {
		t.Errorf("RssAnon was %d MiB at most, want below %d", bytes>>20, limit>>20)
	}
	clean(t, s)
}

// noiseTar is a tar of one file of noise, made as it is read; sum gets its content.
func noiseTar(t *testing.T, size int64, sum io.Writer) io.Reader {
	t.Helper()
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "artifact", Typeflag: tar.TypeReg, Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	body := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), sum)
	return io.MultiReader(&head, body, bytes.NewReader(make([]byte, 1024)))
}

// sampleMemory samples RssAnon until the returned function is called, which returns the largest.
func sampleMemory(t *testing.T) func() int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int64)
	go func() {
		var most int64
		for ctx.Err() == nil {
			status, err := os.ReadFile("/proc/self/status")
			if err != nil {
				t.Error(err)
				break
			}
			for line := range strings.Lines(string(status)) {
				if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
					kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
					most = max(most, kib<<10)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		done <- most
	}()
	return func() int64 { cancel(); return <-done }
}

// appendWhile appends lines to four live logs, each with a follower, until the returned function is called, which
// says how long the appends took.
func appendWhile(t *testing.T, s *Store) func() string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for i := range 4 {
		id := fmt.Sprintf("live %d %d", i, time.Now().UnixNano())
		appendLog(t, s, id, 0, nil)
		followed := make(chan int64, 1)
		go func() {
			r := s.ReadLog(t.Context(), id, 0, true)
			defer r.Close()
			n, _ := io.Copy(io.Discard, r)
			followed <- n
		}()
		all.Go(func() {
			var sent int64
			for frame := uint64(1); ctx.Err() == nil; frame++ {
				line := prose(frame, 300)
				began := time.Now()
				appendLog(t, s, id, frame, line)
				sent += int64(len(line))
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
			if err := s.SealLog(t.Context(), id); err != nil {
				t.Error(err)
			}
			if n := <-followed; n != sent {
				t.Error(errors.New("a follower lost bytes"), n, sent)
			}
		})
	}
	return func() string {
		cancel()
		all.Wait()
		slices.Sort(took)
		at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))].Round(time.Microsecond) }
		return fmt.Sprintf("%d appends: median %v, p99 %v, longest %v", len(took), at(0.5), at(0.99), at(1))
	}
}
