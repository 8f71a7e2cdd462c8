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
	want := "0/log 0/once.xml 0/own-0.xml 0/own-1.xml 0/own-2.xml 0/r.xml 0/kept/1/out/r.xml 0/kept/2/out/r.xml 1/found.xml 1/kept/1/found.xml 1/kept/2/found.xml"
	if got != want {
		t.Errorf("collected %s\nwant %s\n%s", got, want, res.log)
	}
	if says := "Report group unit has 2 more file(s), of earlier batches of tests that wrote to the same name\n"; !strings.Contains(res.log, says) {
		t.Errorf("does not say %q:\n%s", says, res.log)
	}
}
