package artifacts

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkCachePut stores a cache of 256 MiB of noise, against writing and syncing a plain file of it.
func BenchmarkCachePut(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	var ours, theirs time.Duration
	for b.Loop() {
		plain := filepath.Join(dir, "plain")
		theirs += plainFile(b, plain, body)
		os.Remove(plain)
		began := time.Now()
		if _, _, err := s.PutCache(b.Context(), CacheMeta{Scope: "api", Paths: "p"}, bytes.NewReader(body), 0); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
	}
	b.SetBytes(2 * benchBytes)
	b.ReportMetric(float64(ours)/float64(theirs), "ours/file")
	b.ReportMetric(float64(b.N)*benchBytes/1e6/ours.Seconds(), "ours-MB/s")
}

// BenchmarkCacheOpen finds a cache of 256 MiB and copies it to a file, as a job gets it, against copying a plain file.
func BenchmarkCacheOpen(b *testing.B) {
	dir := b.TempDir()
	s, _ := newStoreAt(b, filepath.Join(dir, "artifacts.db"))
	body := noise(1, benchBytes)
	plain := filepath.Join(dir, "plain")
	plainFile(b, plain, body)
	putCache(b, s, CacheMeta{Scope: "api", Key: "k", Paths: "p"}, string(body))
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		f, err := os.Open(plain)
		if err != nil {
			b.Fatal(err)
		}
		copyOut(b, dir, f)
		theirs += time.Since(began)
		began = time.Now()
		info, err := s.FindCache([]string{"other", "api"}, "none", []string{"k"}, "p")
		if err != nil {
			b.Fatal(err)
		}
		r, _, err := s.OpenCache(b.Context(), info.ID)
		if err != nil {
			b.Fatal(err)
		}
		copyOut(b, dir, r)
		ours += time.Since(began)
	}
	b.SetBytes(2 * benchBytes)
	b.ReportMetric(float64(ours)/float64(theirs), "ours/file")
	b.ReportMetric(float64(b.N)*benchBytes/1e6/ours.Seconds(), "ours-MB/s")
}

func copyOut(b *testing.B, dir string, r io.ReadCloser) {
	b.Helper()
	defer r.Close()
	path := filepath.Join(dir, "out")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(f, r); err != nil {
		b.Fatal(err)
	}
	f.Close()
	os.Remove(path)
}
