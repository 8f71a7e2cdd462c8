package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/runner-ci/runner/client"
)

// TestTwoGibibytesThroughTheDaemon has a job leave 2 GiB of noise, and downloads them in each form, while other
// builds write. What the daemon allocates itself stays below 100 MiB.
func TestTwoGibibytesThroughTheDaemon(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("passes 2 GiB through the engine and the disk; set RUNNER_SLOW=1 to run it")
	}
	const size, limit = 2 << 30, 100 << 20
	git := newGitServer(t)
	_, big, bigCommit := git.repo("big", map[string]string{"buildspec.yml": spec(
		fmt.Sprintf("head -c %d /dev/urandom > noise && sha256sum < noise | cut -c 1-64 > sum", size),
	) + "artifacts:\n  files: [noise, sum]\n"})
	_, small, smallCommit := git.repo("small", counting(100, 0))
	d := newDaemon(t, "slots: 2\n", project("big", big), project("small", small))
	most := d.sampleMemory()
	calm, others := context.WithCancel(t.Context())
	built := make(chan int)
	go func() {
		n, user := 0, &stormUser{d: d, api: d.Client}
		for calm.Err() == nil && !t.Failed() {
			user.settle(user.push(pushOf(small, "refs/heads/main", smallCommit)))
			n++
		}
		built <- n
	}()

	began := time.Now()
	b := d.ended(d.push(big, bigCommit), "SUCCEEDED")
	t.Logf("built and stored in %s", time.Since(began))
	sum := d.artifact(b.ID, b.Jobs[0].ID, "sum")
	for name, read := range map[string]func() (io.Reader, io.Closer){
		"as a file": func() (io.Reader, io.Closer) {
			file, err := d.ArtifactFile(t.Context(), b.ID, b.Jobs[0].ID, "noise")
			if err != nil {
				t.Fatal(err)
			}
			return file, file
		},
		"as tar.zst": func() (io.Reader, io.Closer) { return d.noiseInTar(b) },
		"as zip":     func() (io.Reader, io.Closer) { return d.noiseInZip(b) },
	} {
		began := time.Now()
		in, done := read()
		hash := sha256.New()
		n, err := io.Copy(hash, in)
		done.Close()
		if got := hex.EncodeToString(hash.Sum(nil)); err != nil || n != size || got != strings.TrimSpace(sum) {
			t.Errorf("%s: %d bytes with hash %s (%v), want %d with %s", name, n, got, err, int64(size), sum)
		}
		t.Logf("%s in %s", name, time.Since(began))
	}
	others()
	t.Logf("%d builds beside it; RssAnon was %d MiB at most", <-built, most()>>20)
	if most() > limit {
		t.Errorf("RssAnon was %d MiB at most, want below %d", most()>>20, limit>>20)
	}
}

func (d *daemon) artifact(build, job, path string) string {
	d.t.Helper()
	file, err := d.ArtifactFile(d.t.Context(), build, job, path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func (d *daemon) noiseInTar(b client.Build) (io.Reader, io.Closer) {
	d.t.Helper()
	body, err := d.Archive(d.t.Context(), b.ID, "", "tar.zst")
	if err != nil {
		d.t.Fatal(err)
	}
	plain, err := zstd.NewReader(body)
	if err != nil {
		d.t.Fatal(err)
	}
	for r := tar.NewReader(plain); ; {
		head, err := r.Next()
		if err != nil {
			d.t.Fatalf("the archive has no noise: %v", err)
		}
		if filepath.Base(head.Name) == "noise" {
			return r, body
		}
	}
}

// noiseInZip goes through a file, because a zip's directory is at its end.
func (d *daemon) noiseInZip(b client.Build) (io.Reader, io.Closer) {
	d.t.Helper()
	body, err := d.Archive(d.t.Context(), b.ID, "", "zip")
	if err != nil {
		d.t.Fatal(err)
	}
	defer body.Close()
	file, err := os.Create(filepath.Join(d.t.TempDir(), "all.zip"))
	if err != nil {
		d.t.Fatal(err)
	}
	size, err := io.Copy(file, body)
	if err != nil {
		d.t.Fatal(err)
	}
	archive, err := zip.NewReader(file, size)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range archive.File {
		if filepath.Base(f.Name) == "noise" {
			r, err := f.Open()
			if err != nil {
				d.t.Fatal(err)
			}
			return r, file
		}
	}
	d.t.Fatal("the zip has no noise")
	return nil, nil
}

// sampleMemory samples the daemon's RssAnon until the returned function is first called, which returns the largest.
func (d *daemon) sampleMemory() func() int64 {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	var most int64
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			most = max(most, d.memory())
		}
	}()
	return func() int64 { cancel(); <-done; return most }
}

// memory is the daemon's RssAnon in bytes: what it maps of files is not counted.
func (d *daemon) memory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Errorf("the daemon is gone: %v", err)
	}
	_, rest, _ := bytes.Cut(text, []byte("RssAnon:"))
	kib, _ := strconv.ParseInt(strings.Fields(string(rest) + " 0")[0], 10, 64)
	return kib << 10
}
