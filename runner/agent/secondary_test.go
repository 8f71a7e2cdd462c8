//go:build linux

package agent

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

func TestSecondaryArtifacts(t *testing.T) {
	tests := []struct {
		name      string
		primary   *wire.ArtifactSpec
		secondary []wire.ArtifactSpec
		want      []string // what is in each, in order; the primary one is first if there is one
		failure   string
	}{
		{"beside the primary one", &wire.ArtifactSpec{Files: []string{"app.txt"}}, []wire.ArtifactSpec{
			{ID: "one", Files: []string{"*.txt"}, BaseDirectory: "out", Name: "first-$((1+1))"}, {ID: "two", Files: []string{"out2/*"}, DiscardPaths: true},
		}, []string{" app.txt=app", "one a.txt=a", "two a.txt=other a"}, ""},
		{"alone", nil, []wire.ArtifactSpec{{ID: "one", Files: []string{"app.txt"}}}, []string{"one app.txt=app"}, ""},
		{"one fails", &wire.ArtifactSpec{Files: []string{"app.txt"}}, []wire.ArtifactSpec{
			{ID: "bad", Files: []string{"missing"}}, {ID: "good", Files: []string{"app.txt"}}, {ID: "worse", Files: []string{"*"}, BaseDirectory: "missing"},
		}, []string{" app.txt=app", "good app.txt=app"}, "secondary artifact bad: no matching artifact paths found"},
		{"the primary one fails", &wire.ArtifactSpec{Files: []string{"missing"}}, []wire.ArtifactSpec{{ID: "one", Files: []string{"app.txt"}}},
			[]string{"one app.txt=app"}, "no matching artifact paths found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			artifactTree(t, s.src)
			job := s.job("true")
			job.Artifacts, job.Secondary = tt.primary, tt.secondary
			res := s.run(job)
			var got []string
			for _, a := range append(res.done.Secondary, deref(res.done.Artifacts)...) {
				got = append(got, a.ID+" "+listTar(t, filepath.Join(s.spool, a.File)))
			}
			if res.done.Artifacts != nil { // it was appended last
				got = append(got[len(got)-1:], got[:len(got)-1]...)
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("left %q, want %q\n%s", got, tt.want, res.log)
			}
			last := res.phases[len(res.phases)-1]
			if (tt.failure == "") != (last.Status == wire.StatusSucceeded) || !strings.HasPrefix(last.Message, tt.failure) {
				t.Errorf("the phase ended %+v, want %q", last, tt.failure)
			}
			if !strings.Contains(res.log, "Preparing to copy secondary artifacts") || strings.Contains(res.log, "No secondary artifacts") {
				t.Errorf("the log is\n%s", res.log)
			}
		})
	}
}

func deref(a *wire.Artifacts) []wire.Artifacts {
	if a == nil {
		return nil
	}
	return []wire.Artifacts{*a}
}

func TestASecondaryArtifactHasItsOwnFileAndName(t *testing.T) {
	s := newSandbox(t)
	artifactTree(t, s.src)
	job := s.job("V=7")
	job.Secondary = []wire.ArtifactSpec{{ID: "bad", Files: []string{"missing"}}, {ID: "one", Files: []string{"app.txt"}, Name: "first-$V"}}
	res := s.run(job)
	if len(res.done.Secondary) != 1 || res.done.Secondary[0].File != wire.SecondaryFile(1) || res.done.Secondary[0].Name != "first-7" || res.done.Secondary[0].ID != "one" {
		t.Errorf("left %+v\n%s", res.done.Secondary, res.log)
	}
}
