package artifacts

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
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

// turns are what each of several took, turn by turn.
type turns struct{ ours, theirs, bare []time.Duration }

// report reports medians, and the ratio of ours to theirs.
func (t turns) report(b *testing.B) {
	b.SetBytes(2 * benchBytes)
	b.ReportAllocs()
	b.ReportMetric(ms(t.ours), "ours-ms")
	b.ReportMetric(ms(t.theirs), "theirs-ms")
	b.ReportMetric(ms(t.ours)/ms(t.theirs), "ratio")
	if len(t.bare) > 0 {
		b.ReportMetric(ms(t.bare)/ms(t.theirs), "bare-bbolt-ratio")
	}
}

func ms(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
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

// BenchmarkPut stores 256 MiB of noise, against writing and syncing a plain file of it, and against bare bbolt. Each turn
// stores other content into a store that grows, and the file is a new one: neither overwrites.
func BenchmarkPut(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	var t turns
	turn := 0
	for b.Loop() {
		turn++
		for at := 0; at < len(body); at += 4096 { // new content, but no new noise
			body[at] = byte(turn)
		}
		plain := filepath.Join(dir, "plain")
		t.theirs = append(t.theirs, plainFile(b, plain, body))
		os.Remove(plain)
		t.bare = append(t.bare, bareBolt(b, plain, body))
		os.Remove(plain)
		began := time.Now()
		if _, err := s.PutTar(b.Context(), "set", SetMeta{}, benchTar(b, body), Limits{}); err != nil {
			b.Fatal(err)
		}
		t.ours = append(t.ours, time.Since(began))
	}
	t.report(b)
}

// BenchmarkGet sends 256 MiB of noise to a socket, against sending a plain file as it is read.
func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	plain := filepath.Join(dir, "plain")
	plainFile(b, plain, body)
	if _, err := s.PutTar(b.Context(), "set", SetMeta{}, benchTar(b, body), Limits{}); err != nil {
		b.Fatal(err)
	}
	conn := drain(b)
	var t turns
	for b.Loop() {
		began := time.Now()
		f, err := os.Open(plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
			b.Fatal(err)
		}
		f.Close()
		t.theirs = append(t.theirs, time.Since(began))
		began = time.Now()
		r, _, err := s.OpenFile(b.Context(), "set", "artifact")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(conn, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
		t.ours = append(t.ours, time.Since(began))
	}
	t.report(b)
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
