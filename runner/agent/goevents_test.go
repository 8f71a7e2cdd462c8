//go:build linux

package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestGoTestIsReportedWhateverTheStrategy: a suite that is divided as CodeBuild does it has every test in the report, too,
// with the log and the exit status of go test; and none where none is wanted.
func TestGoTestIsReportedWhateverTheStrategy(t *testing.T) {
	const call = `codebuild-tests-run --files-search "printf './good\n./bad\n'" --test-command "go test -count=1"`
	for _, tt := range []struct {
		name, command string
		report        bool
	}{
		{"equal-distribution", call, true},
		{"stability", call + " --sharding-strategy stability", true},
		{"not wanted", "export CODEBUILD_CONFIG_AUTO_DISCOVER=false; " + call, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := goSandbox(t)
			job := s.job(tt.command)
			job.Shard = wire.Shard{Index: 0, Count: 1}
			res := s.run(job)
			if strings.Contains(res.log, "seen with -v") || strings.Contains(res.log, `"Action"`) || !strings.Contains(res.log, "    p_test.go:6: no\nFAIL\nFAIL\texample.com/m/bad\t") ||
				!strings.Contains(res.log, "ok  \texample.com/m/good\t") {
				t.Errorf("the log is not that of go test\n%s", res.log)
			}
			if res.done.Status != wire.StatusFailed || !strings.Contains(res.done.Message, "1") {
				t.Errorf("the job ended %s: %s", res.done.Status, res.done.Message)
			}
			r := res.done.Reports
			if !tt.report {
				if r != nil {
					t.Errorf("there are reports: %+v", r)
				}
				return
			}
			if r == nil || len(r.Groups) != 1 || r.Groups[0] != (wire.ReportGroup{Name: "GOTESTJSON-AutoDiscovered", Format: "GOTESTJSON", Files: 1, Discovered: true}) {
				t.Fatalf("the reports are %+v\n%s", r, res.log)
			}
			packed, err := os.ReadFile(filepath.Join(s.spool, wire.ReportsFile))
			if err != nil || !bytes.Contains(packed, []byte(`"Output":"    p_test.go:6: seen with -v\n"`)) {
				t.Errorf("the report lacks a test that passed: %v", err)
			}
		})
	}
}
