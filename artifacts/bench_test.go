package artifacts

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/internal/figures"
)

const benchBytes = 256 << 20

// benchTar is a tar of one incompressible file.
func benchTar(b *testing.B, body []byte) io.Reader {
	b.Helper()
	var head, tail bytes.Buffer
	w := tar.NewWriter(&head)
	if err := w.WriteHeader(&tar.Header{Name: "artifact", Typeflag: tar.TypeReg, Size: int64(len(body)), Mode: 0o644}); err != nil {
		b.Fatal(err)
	}
	tail.Write(make([]byte, 1024))
	return io.MultiReader(&head, bytes.NewReader(body), &tail)
}

func plainFile(b *testing.B, path string, body []byte) time.Duration {
	b.Helper()
	began := time.Now()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	for rest := body; len(rest) > 0; rest = rest[1<<20:] {
		if _, err := f.Write(rest[:1<<20]); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	return time.Since(began)
}

// bareBolt is the least that bbolt takes for the same bytes: a new file, in transactions as a segment has them, synced
// once. Nothing is hashed.
func bareBolt(b *testing.B, path string, body []byte) time.Duration {
	b.Helper()
	began := time.Now()
	file, err := openDB(path, bolt.Options{PageSize: pageBytes, InitialMmapSize: segmentMap, NoSync: true, NoGrowSync: true, NoFreelistSync: true})
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < len(body); at += maxGroupBytes {
		err := file.db.Update(func(tx *bolt.Tx) error {
			for n := at; n < at+maxGroupBytes; n += defaultChunkBytes {
				bucket, err := tx.CreateBucket(key(uint64(n)))
				if err != nil {
					return err
				}
				if err := bucket.Put(segmentKey, body[n:n+defaultChunkBytes]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(file.disk.Sync(), file.db.Close()); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkFigurePut stores 256 MiB of noise, against writing and syncing a plain file of it; and bare bbolt against the
// same. Each turn stores other content, and all files are new ones: nothing overwrites.
func BenchmarkFigurePut(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	plain := filepath.Join(dir, "plain")
	rest := func() { // what was written and removed before is no burden of what comes next
		os.Remove(plain)
		unix.Sync()
	}
	file := func(b *testing.B) float64 {
		rest()
		defer rest()
		return plainFile(b, plain, body).Seconds()
	}
	put := func(b *testing.B) float64 {
		began := time.Now()
		if _, err := s.PutTar(b.Context(), "set", SetMeta{}, benchTar(b, body), Limits{}); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began).Seconds()
		if err := s.RemoveSet(b.Context(), "set"); err != nil { // or the next file would be the first in memory never used
			b.Fatal(err)
		}
		collect(b, s)
		rest()
		return took
	}
	turn := 0
	figures.Run(b, "artifact-put", "s", func(b *testing.B) (ours, theirs float64) {
		b.ReportAllocs()
		turn++
		for at := 0; at < len(body); at += 4096 { // new content, but no new noise
			body[at] = byte(turn)
		}
		if turn%2 == 0 { // neither is always the first
			ours, theirs = put(b), file(b)
		} else {
			theirs, ours = file(b), put(b)
		}
		return ours, theirs
	})
	figures.Run(b, "artifact-put-bare", "s", func(b *testing.B) (ours, theirs float64) {
		theirs = file(b)
		return bareBolt(b, plain, body).Seconds(), theirs
	})
	figures.Run(b, "artifact-put-floor", "s", func(b *testing.B) (ours, theirs float64) {
		theirs = file(b)
		return hashedBolt(b, plain, body).Seconds(), theirs
	})
}

// hashedBolt is bareBolt with the two SHA-256 of all bytes beside it, of the whole and of each chunk, where nothing waits for
// anything: what no order of the same work can go below.
func hashedBolt(b *testing.B, path string, body []byte) time.Duration {
	began := time.Now()
	var hashes sync.WaitGroup
	hashes.Go(func() { sha256.Sum256(body) })
	hashes.Go(func() {
		for at := 0; at < len(body); at += defaultChunkBytes {
			sha256.Sum256(body[at : at+defaultChunkBytes])
		}
	})
	bareBolt(b, path, body)
	hashes.Wait()
	return time.Since(began)
}

// BenchmarkFigureGet sends 256 MiB of noise to a socket, against sending a plain file as it is read.
func BenchmarkFigureGet(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	plain := filepath.Join(dir, "plain")
	plainFile(b, plain, body)
	if _, err := s.PutTar(b.Context(), "set", SetMeta{}, benchTar(b, body), Limits{}); err != nil {
		b.Fatal(err)
	}
	conn := drain(b)
	figures.Run(b, "artifact-get", "s", func(b *testing.B) (ours, theirs float64) {
		b.ReportAllocs()
		began := time.Now()
		f, err := os.Open(plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
			b.Fatal(err)
		}
		f.Close()
		theirs = time.Since(began).Seconds()
		began = time.Now()
		r, _, err := s.OpenFile(b.Context(), "set", "artifact")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(conn, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
		return time.Since(began).Seconds(), theirs
	})
}

// drain returns a connection whose other end is read to nowhere.
func drain(b *testing.B) net.Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, c, make([]byte, 1<<20))
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(); l.Close() })
	return conn
}

// BenchmarkAppend appends lines to logs, one goroutine each, as live builds do.
func BenchmarkAppend(b *testing.B) {
	for _, logs := range []int{1, 16, 256} {
		b.Run(map[int]string{1: "logs=1", 16: "logs=16", 256: "logs=256"}[logs], func(b *testing.B) { benchAppend(b, logs) })
	}
}

func benchAppend(b *testing.B, logs int) {
	s, _ := newStoreAt(b, filepath.Join(b.TempDir(), "artifacts.db"))
	line := prose(1, 200)
	ids := make(chan string, logs)
	for i := range logs {
		ids <- string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	b.SetParallelism(max(1, logs/2))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		id := <-ids
		for frame := uint64(1); pb.Next(); frame++ {
			if err := s.AppendLog(b.Context(), id, frame, line); err != nil {
				b.Error(err)
				return
			}
		}
		ids <- id
	})
}
