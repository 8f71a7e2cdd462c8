//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

const junit = `<?xml version="1.0"?><testsuite tests="1"/>`

// groupsOf tells the groups in short: "name FORMAT 2, other FORMAT 0".
func groupsOf(r *wire.Reports) string {
	if r == nil {
		return "none"
	}
	var all []string
	for _, g := range r.Groups {
		text := fmt.Sprintf("%s %s %d", g.Name, g.Format, g.Files)
		if g.Discovered {
			text += " found"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestReports(t *testing.T) {
	tests := []struct {
		name    string
		reports []wire.ReportSpec
		env     []wire.Var
		command string
		limits  wire.Limits
		change  func(*wire.Job)
		groups  string
		names   string // in the archive
		log     []string
	}{
		{name: "none", groups: "none", log: []string{"Set report auto-discover timeout to 5 seconds\n", "No matching auto-discover report paths found\n"}},
		{name: "declared, with variables", command: "mkdir -p out/d; echo 1 >out/a.xml; echo 2 >out/d/b.xml; DIR=out; GROUP=unit; PATTERN='**/*'",
			reports: []wire.ReportSpec{{Group: "$GROUP", Files: []string{"${PATTERN}"}, Format: "JUNITXML", BaseDirectory: "$CODEBUILD_SRC_DIR/$DIR"}},
			groups:  "unit JUNITXML 2", names: "0/a.xml 0/d/b.xml", log: []string{"Expanding base directory path: /", "Assembling file list\n", "Found 2 file(s)\n"}},
		{name: "several, one of them by its ARN", command: "echo 1 >a.xml; echo 2 >b.json; mkdir c; echo 3 >c/b.json",
			reports: []wire.ReportSpec{
				{Group: "arn:aws:codebuild:eu-west-1:123456789012:report-group/mine", Files: []string{"a.xml"}, Format: "NUNITXML"},
				{Group: "flat", Files: []string{"b.json", "c/*"}, Format: "CUCUMBERJSON", DiscardPaths: true},
			},
			groups: "mine NUNITXML 1, flat CUCUMBERJSON 2", names: "0/a.xml 1/b.json 1/b-2.json"},
		{name: "incomplete", command: "echo 1 >a.xml", reports: []wire.ReportSpec{
			{Group: "gone", Files: []string{"missing/*.xml"}, Format: "JUNITXML"},
			{Group: "base", Files: []string{"*"}, Format: "JUNITXML", BaseDirectory: "nowhere"},
			{Group: "$UNSET", Files: []string{"*"}, Format: "JUNITXML"},
			{Group: "there", Files: []string{"a.xml"}, Format: "JUNITXML"},
		}, groups: "gone JUNITXML 0, base JUNITXML 0, $UNSET JUNITXML 0, there JUNITXML 1", names: "3/a.xml",
			log: []string{"Report group gone is INCOMPLETE: no file matches missing/*.xml\n", "Report group base is INCOMPLETE: no matching base directory path found", "Report group $UNSET is INCOMPLETE: its name is \"\""}},
		{name: "discovered", command: "mkdir -p r node_modules .git; printf '" + junit + "' | tee r/a.xml node_modules/x.xml .git/y.xml c.xml >b.XML; printf 'TN:\\nSF:a.c\\n' >lcov.info; echo '<html/>' >i.xml; ln -s r/a.xml l.xml; printf '" + junit + "' >text.txt",
			reports: []wire.ReportSpec{{Group: "mine", Files: []string{"c.xml"}, Format: "JUNITXML"}},
			groups:  "mine JUNITXML 1, JUNITXML-AutoDiscovered JUNITXML 2 found, LCOV-AutoDiscovered LCOV 1 found", names: "0/c.xml 1/b.XML 1/r/a.xml 2/lcov.info",
			log: []string{"Found 2 JUNITXML file(s) by auto-discovery: report group JUNITXML-AutoDiscovered\n"}},
		{name: "discovery is off", command: "printf '" + junit + "' >a.xml; export CODEBUILD_CONFIG_AUTO_DISCOVER=false", groups: "none"},
		{name: "discovery elsewhere", env: []wire.Var{{Name: "CODEBUILD_CONFIG_AUTO_DISCOVER_DIR", Value: "r"}}, command: "mkdir r; printf '" + junit + "' | tee a.xml >r/a.xml",
			groups: "JUNITXML-AutoDiscovered JUNITXML 1 found", names: "0/a.xml"},
		{name: "discovery where nothing is", env: []wire.Var{{Name: "CODEBUILD_CONFIG_AUTO_DISCOVER_DIR", Value: "nowhere"}}, groups: "none"},
		{name: "too many bytes", command: "echo 12345 >a.xml; echo 1 >b.xml", limits: wire.Limits{ReportBytes: 12},
			reports: []wire.ReportSpec{{Group: "g", Files: []string{"*.xml"}, Format: "JUNITXML"}}, groups: "g JUNITXML 1", names: "0/b.xml",
			log: []string{"Skipping report file a.xml (the reports would be larger than the limit of 12 bytes)\n"}},
		{name: "of a phase that failed", command: "echo 1 >a.xml; exit 3", reports: []wire.ReportSpec{{Group: "g", Files: []string{"a.xml"}, Format: "JUNITXML"}},
			groups: "g JUNITXML 1", names: "0/a.xml"},
		{name: "of a build that was aborted", command: "echo 1 >a.xml; exit 3", reports: []wire.ReportSpec{{Group: "g", Files: []string{"a.xml"}, Format: "JUNITXML"}},
			change: func(j *wire.Job) { j.Phases[0].Name, j.Phases[0].OnFailure = wire.PhaseInstall, "ABORT" }, groups: "g JUNITXML 1", names: "0/a.xml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job(tt.command)
			job.Reports, job.Env = tt.reports, tt.env
			job.Limits.ReportBytes = tt.limits.ReportBytes
			if tt.change != nil {
				tt.change(&job)
			}
			res := s.run(job)
			if want := !strings.Contains(tt.command, "exit 3"); (res.done.Status == wire.StatusSucceeded) != want {
				t.Errorf("reports decided the build: %+v", res.done)
			}
			if got := groupsOf(res.done.Reports); got != tt.groups {
				t.Errorf("groups %q, want %q\n%s", got, tt.groups, res.log)
			}
			for _, text := range tt.log {
				if !strings.Contains(res.log, text) {
					t.Errorf("the log lacks %q\n%s", text, res.log)
				}
			}
			if got := namesInTar(t, s, res.done.Reports); got != tt.names {
				t.Errorf("packed %q, want %q", got, tt.names)
			}
		})
	}
}

func namesInTar(t *testing.T, s *sandbox, r *wire.Reports) string {
	t.Helper()
	if r == nil {
		return ""
	}
	var names []string
	for entry := range strings.FieldsSeq(listTar(t, filepath.Join(s.spool, r.File))) {
		if name, _, ok := strings.Cut(entry, "="); ok && strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func TestAStoppedJobKeepsItsDeclaredReports(t *testing.T) {
	for shell, path := range shells(t) {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job("GROUP=unit; echo 1 >a.xml", "GROUP=lost; echo waiting; sleep 1000")
			job.Shell = path
			job.Reports = []wire.ReportSpec{{Group: "$GROUP", Files: []string{"*.xml"}, Format: "JUNITXML"}}
			job.Artifacts = &wire.ArtifactSpec{Files: []string{"a.xml"}}
			k := s.talkTo(job)
			k.until(func(wire.Frame) bool { return strings.Contains(k.res.output(), "waiting") })
			s.send(wire.Stop{Status: wire.StatusStopped, Reason: "why", GraceMillis: 100})
			res := k.end()
			if res.done.Status != wire.StatusStopped || res.done.Artifacts != nil || groupsOf(res.done.Reports) != "unit JUNITXML 1" {
				t.Errorf("ended %+v, reports %s\n%s", res.done, groupsOf(res.done.Reports), res.log)
			}
			if _, err := os.Stat(filepath.Join(s.spool, wire.ReportsFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestATimedOutJobKeepsItsDeclaredReports(t *testing.T) {
	s := newSandbox(t)
	job := s.job("echo 1 >a.xml", "sleep 1000 & trap '' TERM; wait; sleep 1000")
	job.Limits = wire.Limits{TimeoutMillis: 500, GraceMillis: 50}
	job.Reports = []wire.ReportSpec{{Group: "g", Files: []string{"*.xml"}, Format: "JUNITXML"}}
	start := time.Now()
	res := s.run(job)
	if res.done.Status != wire.StatusTimedOut || groupsOf(res.done.Reports) != "g JUNITXML 1" {
		t.Errorf("ended %+v, reports %s after %s\n%s", res.done, groupsOf(res.done.Reports), time.Since(start), res.log)
	}
}
