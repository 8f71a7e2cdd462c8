package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnitFileIsValid has systemd judge the example, with a program that is there in place of the installed one.
func TestUnitFileIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not installed")
	}
	text, err := os.ReadFile("../../examples/systemd/runner.service")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/local/bin/runner"
	if !strings.Contains(string(text), "ExecStart="+installed+" serve ") {
		t.Fatalf("it does not start %s", installed)
	}
	unit := filepath.Join(t.TempDir(), "runner.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), installed, here)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	var ours []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "runner.service") { // it judges others too, which this machine has
			ours = append(ours, line)
		}
	}
	if len(ours) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, strings.Join(ours, "\n"))
	}
}

// quoted is a line of the log as docs/operations.md quotes it.
var quoted = regexp.MustCompile("(?m)^\\| `([a-z][^`…]{20,})` \\|")

// TestLogLinesThatOperationsNamesAreWritten finds each quoted line of the log in the code.
func TestLogLinesThatOperationsNamesAreWritten(t *testing.T) {
	tr := load(t)
	text, err := os.ReadFile(filepath.Join(tr.root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(text), "Lines of the log that matter")
	lines, _, _ = strings.Cut(lines, "\n## ")
	found := quoted.FindAllStringSubmatch(lines, -1)
	if len(found) < 5 {
		t.Fatalf("only %d lines are found: has the page's form changed?", len(found))
	}
	code := allCode(t, tr)
	for _, m := range found {
		if !strings.Contains(code, m[1]) {
			t.Errorf("docs/operations.md quotes %q, which nothing writes to the log", m[1])
		}
	}
}
