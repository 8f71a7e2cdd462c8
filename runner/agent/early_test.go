//go:build linux

package agent

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// earlies are the early reports that a job told of, in short: "unit 0/a.xml | unit 0/b.xml".
func earlies(t *testing.T, s *sandbox, res result) string {
	t.Helper()
	var all []string
	for _, f := range res.frames {
		var e wire.Early
		if f.Kind != wire.KindEarly || wire.Decode(f, &e) != nil {
			continue
		}
		told := []string{}
		for _, g := range e.Groups {
			told = append(told, g.Name)
		}
		told = append(told, namesInTar(t, s, &wire.Reports{File: filepath.Base(wire.EarlyFile(e.Number))}))
		all = append(all, strings.Join(told, " "))
	}
	return strings.Join(all, " | ")
}

func TestEarlyReports(t *testing.T) {
	unit := wire.ReportSpec{Group: "unit", Files: []string{"*.xml"}, Format: "JUNITXML"}
	named := wire.ReportSpec{Group: "$NAME", Files: []string{"*.xml"}, Format: "JUNITXML", BaseDirectory: "$OUT"}
	for name, c := range map[string]struct {
		report   wire.ReportSpec
		commands []string
		want     string
	}{
		"each file once, and again when it has changed": {unit, []string{"echo 1 >a.xml", "echo 2 >b.xml", ":", "echo 33 >a.xml", ":"}, "unit 0/a.xml | unit 0/b.xml | unit 0/a.xml"},
		"not after the last command":                    {unit, []string{":", "echo 1 >a.xml"}, ""},
		"of a command that failed":                      {unit, []string{"echo 1 >a.xml; exit 3", ":"}, "unit 0/a.xml"},
		"with variables":                                {named, []string{"NAME=it; OUT=out; mkdir out; echo 1 >out/a.xml", ":"}, "it 0/a.xml"},
		"older than the job":                            {unit, []string{"echo 1 >a.xml; touch -t 200001010000 a.xml", ":"}, ""},
		"coverage can wait":                             {wire.ReportSpec{Group: "lines", Files: []string{"*.xml"}, Format: "CLOVERXML"}, []string{"echo 1 >a.xml", ":"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job(c.commands...)
			job.Reports = []wire.ReportSpec{c.report}
			job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild})
			if strings.Contains(c.commands[0], "exit") {
				job.Phases[0].Commands, job.Phases[0].Finally = c.commands[:1], c.commands[1:]
			}
			res := s.run(job)
			if got := earlies(t, s, res); got != c.want {
				t.Errorf("early reports are %q, want %q\n%s", got, c.want, res.log)
			}
		})
	}
}

// TestEarlyReportsAfterEachBatch: three runs of one batch write to one file, and the last run of the next batch tries again.
// Each writing is told of once.
func TestEarlyReportsAfterEachBatch(t *testing.T) {
	s := newSandbox(t)
	job := s.sharded(runShards+`'sh -c "sleep .02; echo \"<testsuite name=\\\"$RUNNER_TEST_RUN\\\"/>\" >unit.xml" #'`, ":")
	job.Reports = []wire.ReportSpec{{Group: "unit", Files: []string{"*.xml"}, Format: "JUNITXML"}}
	k := s.talkTo(job)
	k.joined(wire.TestsAnswer{Strategy: wire.StrategyQueue})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1, 2}, Each: true})
	k.did(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 2, Items: []int{1}, Each: true, Round: 2})
	k.did(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Over: true})
	res := k.end()
	got := regexp.MustCompile(`kept-\d+`).ReplaceAllString(earlies(t, s, res), "kept")
	if want := "unit 0/kept/run-1/unit.xml 0/kept/run-2/unit.xml 0/unit.xml | unit 0/unit.xml"; got != want {
		t.Errorf("early reports are %q, want %q\n%s", got, want, res.log)
	}
}
