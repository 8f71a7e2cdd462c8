package server

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"testing"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler"
)

// keep stores a set of one file whose content is its path.
func keep(t *testing.T, d *daemon, id, name, path string) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(path))}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, path)
	w.Close()
	if _, err := d.store.PutTar(t.Context(), id, artifacts.SetMeta{Name: name}, &buf, artifacts.Limits{}); err != nil {
		t.Fatal(err)
	}
	return id
}

// setsDaemon has a build of two jobs: linux left artifacts, two secondary ones and reports, docs artifacts alone.
func setsDaemon(t *testing.T) *daemon {
	d := newDaemon(t)
	linux := job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded)
	at := &linux.Attempts[0]
	at.Set = keep(t, d, "linux", "releases/app-1.2", "bin/app")
	at.Secondary = map[string]string{"symbols": keep(t, d, "linux/symbols", "", "app.debug"), "docs": keep(t, d, "linux/docs", "", "index.html")}
	at.Reports = &runner.Reports{Set: keep(t, d, "linux/reports", "", "0/junit.xml"), Groups: []wire.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1}}}
	at.Exported = []wire.Var{{Name: "TAG", Value: "v1"}}
	docs := job("docs", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded)
	docs.Attempts[0].Set = keep(t, d, "docs", "", "site.html")
	d.state.put(over(running(), scheduler.Succeeded), linux, docs)
	return d
}

func TestEveryKindOfArtifactIsListed(t *testing.T) {
	d := setsDaemon(t)
	var got []string
	list := func(sets []client.ArtifactSet, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sets {
			got = append(got, fmt.Sprintf("%s %q %t %s", s.Job, s.Artifact, s.Reports, s.Files[0].Path))
		}
	}
	list(d.client().Artifacts(t.Context(), "api#1"))
	list(d.client().Reports(t.Context(), "api#1"))
	want := []string{
		`linux "" false bin/app`, `linux "docs" false index.html`, `linux "symbols" false app.debug`, `docs "" false site.html`,
		`linux "" true 0/junit.xml`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the sets are\n%v, want\n%v", got, want)
	}
	b, err := d.client().Build(t.Context(), "api#1")
	if err != nil {
		t.Fatal(err)
	}
	j := b.Jobs[0]
	if !slices.Equal(j.Secondary, []string{"docs", "symbols"}) || !slices.Equal(j.Exported, []client.Variable{{Name: "TAG", Value: "v1"}}) ||
		!slices.Equal(j.Reports, []client.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1, Folder: "0/"}}) {
		t.Errorf("the job shows %+v", j)
	}
}

func TestAnArchiveHoldsWhatIsChosen(t *testing.T) {
	d := setsDaemon(t)
	tests := []struct {
		choice client.Choice
		file   string // name that a browser gives it
		want   []string
	}{
		{client.Choice{}, "api-1.zip", []string{"linux/bin/app", "linux_docs/index.html", "linux_symbols/app.debug", "docs/site.html"}},
		{client.Choice{Job: "docs"}, "api-1-docs.zip", []string{"site.html"}},
		{client.Choice{Job: "linux"}, "api-1-linux.zip", []string{"linux/bin/app", "linux_docs/index.html", "linux_symbols/app.debug"}},
		{client.Choice{Job: "linux", Artifact: client.PrimaryArtifact}, "app-1.2.zip", []string{"bin/app"}},
		{client.Choice{Job: "linux", Artifact: "symbols"}, "api-1-linux-symbols.zip", []string{"app.debug"}},
		{client.Choice{Artifact: "symbols"}, "api-1-symbols.zip", []string{"linux_symbols/app.debug"}},
		{client.Choice{Job: "linux", Reports: true}, "api-1-linux-reports.zip", []string{"0/junit.xml"}},
	}
	for _, tt := range tests {
		resp, body := d.do(http.MethodGet, "/api/v1/builds/api/1/artifacts/archive?"+choiceQuery(tt.choice), nil, nil)
		_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		if err != nil || params["filename"] != tt.file {
			t.Errorf("%+v is called %q (%v), want %q", tt.choice, params["filename"], err, tt.file)
		}
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Errorf("%+v: %v: %.200s", tt.choice, err, body)
			continue
		}
		var names []string
		for _, f := range z.File {
			if !f.FileInfo().IsDir() {
				names = append(names, f.Name)
			}
		}
		if !slices.Equal(names, tt.want) {
			t.Errorf("%+v holds %v, want %v", tt.choice, names, tt.want)
		}
	}
	for _, none := range []client.Choice{{Artifact: "nope"}, {Job: "docs", Reports: true}, {Job: "none"}} {
		if _, err := d.client().ArchiveOf(t.Context(), "api#1", none, "zip"); asProblem(t, err).Status != http.StatusNotFound {
			t.Errorf("%+v: %v", none, err)
		}
	}
	r, err := d.client().FileOf(t.Context(), "api#1", client.Choice{Job: "linux", Artifact: "symbols"}, "app.debug")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "app.debug" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func choiceQuery(c client.Choice) string {
	q := "format=zip"
	if c.Job != "" {
		q += "&job=" + c.Job
	}
	if c.Artifact != "" {
		q += "&artifact=" + c.Artifact
	}
	if c.Reports {
		q += "&reports=true"
	}
	return q
}
