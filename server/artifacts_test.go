package server

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/scheduler"
)

// artifactDaemon has a build of two jobs that left files.
func artifactDaemon(t *testing.T) *daemon {
	d := newDaemon(t)
	jobs := []scheduler.Job{
		job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded),
		job("docs", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded),
		job("lint", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded),
	}
	for i, files := range []map[string]string{{"bin/app": strings.Repeat("app", 100_000), "bin/ü &?#.txt": "odd"}, {"index.html": "<script>"}} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name]))}); err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, files[name])
		}
		w.WriteHeader(&tar.Header{Name: "latest", Linkname: "bin", Typeflag: tar.TypeSymlink})
		w.Close()
		set := "set-" + jobs[i].ID
		if _, err := d.store.PutTar(t.Context(), set, artifacts.SetMeta{Name: "out"}, &buf, artifacts.Limits{}); err != nil {
			t.Fatal(err)
		}
		jobs[i].Attempts[0].Set = set
	}
	d.state.put(over(running(), scheduler.Succeeded), jobs...)
	return d
}

func TestArtifactsAreListedAndReadOneByOne(t *testing.T) {
	d := artifactDaemon(t)
	sets, err := d.client().Artifacts(t.Context(), "api#1")
	if err != nil || len(sets) != 2 || sets[0].Job != "linux" || sets[1].Job != "docs" || sets[0].Name != "out" || sets[0].Bytes != 300_003 {
		t.Fatalf("Artifacts = %+v, %v", sets, err)
	}
	for _, set := range sets {
		for _, f := range set.Files {
			r, err := d.client().ArtifactFile(t.Context(), "api#1", set.Job, f.Path)
			if f.Link != "" {
				if p := asProblem(t, err); p.Status != http.StatusConflict {
					t.Errorf("%s: %+v", f.Path, p)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", f.Path, err)
				continue
			}
			text, err := io.ReadAll(r)
			r.Close()
			if err != nil || int64(len(text)) != f.Size || len(f.SHA256) != 64 {
				t.Errorf("%s: %d bytes of %d, %v", f.Path, len(text), f.Size, err)
			}
		}
	}
	resp, _ := d.do(http.MethodGet, "/api/v1/builds/api/1/artifacts/file?job=docs&path=index.html", nil, nil)
	if resp.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("a job's HTML must not be shown as a page: %v", resp.Header)
	}
	for _, c := range []struct{ job, path string }{{"linux", "nope"}, {"linux", "../x"}, {"lint", "x"}, {"none", "x"}} {
		if _, err := d.client().ArtifactFile(t.Context(), "api#1", c.job, c.path); asProblem(t, err).Status != http.StatusNotFound {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestALargeSetComesInPages(t *testing.T) {
	d := artifactDaemon(t)
	const many = 2*filesPerPage + 5
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := range many {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%06d", i), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if err := d.store.RemoveSet(t.Context(), "set-linux"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.PutTar(t.Context(), "set-linux", artifacts.SetMeta{}, &buf, artifacts.Limits{}); err != nil {
		t.Fatal(err)
	}
	sets, err := d.client().Artifacts(t.Context(), "api#1")
	if err != nil || len(sets) != 2 || len(sets[0].Files) != many || len(sets[1].Files) != 2 {
		t.Fatalf("%d sets, %v; want one of %d files and one of 2", len(sets), err, many)
	}
	for i, f := range sets[0].Files {
		if want := fmt.Sprintf("f%06d", i); f.Path != want {
			t.Fatalf("file %d is %s, want %s: pages overlap or leave files out", i, f.Path, want)
		}
	}
	for _, cursor := range []string{"x", "1", "-1.0", "0.-1", "0.x"} {
		if resp, _ := d.do(http.MethodGet, "/api/v1/builds/api/1/artifacts?cursor="+cursor, nil, nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("cursor %s: status %d, want 400", cursor, resp.StatusCode)
		}
	}
}

func TestArchivesHoldAllJobsOrOne(t *testing.T) {
	d := artifactDaemon(t)
	for _, c := range []struct {
		job, format string
		want        []string
	}{
		{"", "zip", []string{"docs/index.html", "docs/latest", "linux/bin/app", "linux/bin/ü &?#.txt", "linux/latest"}},
		{"", "tar.zst", []string{"docs/index.html", "docs/latest", "linux/bin/app", "linux/bin/ü &?#.txt", "linux/latest"}},
		{"docs", "zip", []string{"index.html", "latest"}},
		{"docs", "tar.zst", []string{"index.html", "latest"}},
	} {
		r, err := d.client().Archive(t.Context(), "api#1", c.job, c.format)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		names := zipNames
		if c.format == "tar.zst" {
			names = tarNames
		}
		if got := names(t, text); !slices.Equal(got, c.want) {
			t.Errorf("%s of %q: %q, want %q", c.format, c.job, got, c.want)
		}
	}
	if _, err := d.client().Archive(t.Context(), "api#1", "lint", "zip"); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("a job without artifacts: %v", err)
	}
	for _, set := range []string{"set-linux", "set-docs"} {
		if err := d.store.RemoveSet(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.client().Archive(t.Context(), "api#1", "", "zip"); asProblem(t, err).Status != http.StatusGone {
		t.Errorf("artifacts that retention removed: %v", err)
	}
	if sets, err := d.client().Artifacts(t.Context(), "api#1"); err != nil || len(sets) != 0 {
		t.Errorf("the list after retention: %v, %v", sets, err)
	}
}

func zipNames(t *testing.T, text []byte) []string {
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

func tarNames(t *testing.T, text []byte) []string {
	z, err := zstd.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return names
}
