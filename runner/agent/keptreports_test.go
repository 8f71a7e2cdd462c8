//go:build linux

package agent

import (
	"regexp"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestReportsThatBatchesWriteOverAreKept: each batch writes r.xml and found.json anew, and a file of its own; once.xml is
// written by the first alone.
func TestReportsThatBatchesWriteOverAreKept(t *testing.T) {
	s := newSandbox(t)
	const write = `n=$(cat n 2>/dev/null | wc -l); echo >>n; mkdir -p out node_modules; echo "<testsuite name=\"$n\"/>" | tee out/r.xml found.xml node_modules/x.xml >"out/own-$n.xml"; [ -e out/once.xml ] || cp out/r.xml out/once.xml; echo text >out/log; true`
	job := s.sharded(runShards+"'"+write+" #'", "rm found.xml", "echo '<testsuites/>' >found.xml")
	job.Reports = []wire.ReportSpec{{Group: "unit", Files: []string{"*"}, BaseDirectory: "out", Format: "JUNITXML"}}
	k := s.talkTo(job)
	k.joined(wire.TestsAnswer{})
	for batch := range 3 {
		k.gave(wire.TestsAnswer{Token: uint64(batch + 1), Items: []int{batch}})
		k.did(wire.TestsAnswer{})
	}
	k.gave(wire.TestsAnswer{Over: true})
	res := k.end()
	got := regexp.MustCompile(`kept-\d+`).ReplaceAllString(namesInTar(t, s, res.done.Reports), "kept")
	want := "0/log 0/once.xml 0/own-0.xml 0/own-1.xml 0/own-2.xml 0/r.xml 0/kept/run-1/out/r.xml 0/kept/run-2/out/r.xml 1/found.xml 1/kept/run-1/found.xml 1/kept/run-2/found.xml"
	if got != want {
		t.Errorf("collected %s\nwant %s\n%s", got, want, res.log)
	}
	if says := "Report group unit has 2 more file(s), of earlier runs of tests that wrote to the same name\n"; !strings.Contains(res.log, says) {
		t.Errorf("does not say %q:\n%s", says, res.log)
	}
}

// TestAReportOfALaterTrySaysSo: each run writes r.xml anew, and a report that is named after the run. What the last run
// wrote goes under the name of that run where it tried tests again.
func TestAReportOfALaterTrySaysSo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rounds []int // of the runs
		want   string
	}{
		{"last", []int{0, 9}, "0/kept/run-2-retry-9/out/r.xml 0/run-1.xml 0/run-2-retry-9.xml 0/kept/run-1/out/r.xml"},
		{"alone", []int{9}, "0/kept/run-1-retry-9/out/r.xml 0/run-1-retry-9.xml"},
		{"twice", []int{0, 9, 12}, "0/kept/run-3-retry-12/out/r.xml 0/run-1.xml 0/run-2-retry-9.xml 0/run-3-retry-12.xml 0/kept/run-1/out/r.xml 0/kept/run-2-retry-9/out/r.xml"},
		{"not last", []int{9, 0}, "0/r.xml 0/run-1-retry-9.xml 0/run-2.xml 0/kept/run-1-retry-9/out/r.xml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSandbox(t)
			const write = `mkdir -p out; echo "<testsuite name=\"$RUNNER_TEST_RUN\"/>" | tee out/r.xml >"out/$RUNNER_TEST_RUN.xml"; true`
			job := s.sharded(runShards + "'" + write + " #'")
			job.Reports = []wire.ReportSpec{{Group: "unit", Files: []string{"*"}, BaseDirectory: "out", Format: "JUNITXML"}}
			k := s.talkTo(job)
			k.joined(wire.TestsAnswer{})
			for i, round := range tt.rounds {
				k.gave(wire.TestsAnswer{Token: uint64(i + 1), Items: []int{0}, Each: true, Round: uint64(round)})
				k.did(wire.TestsAnswer{})
			}
			k.gave(wire.TestsAnswer{Over: true})
			res := k.end()
			if got := regexp.MustCompile(`kept-\d+`).ReplaceAllString(namesInTar(t, s, res.done.Reports), "kept"); got != tt.want {
				t.Errorf("collected %s\nwant      %s\n%s", got, tt.want, res.log)
			}
		})
	}
}
