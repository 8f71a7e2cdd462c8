package agent

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestWhichFailuresAreThoseOfTests: a binary that died, left or did not build hides what it did not run.
func TestWhichFailuresAreThoseOfTests(t *testing.T) {
	dir := goSuites(t)
	events := &goEvents{out: io.Discard, errs: io.Discard, kept: io.Discard, named: map[string]*goEventPackage{}}
	cmd := exec.Command("go", "test", "-json", "-count=1", "./good", "./bad", "./dead", "./exits", "./subdead", "./suite", "./odd", "./vetted", "./none")
	cmd.Dir, cmd.Stdout, cmd.Env = dir, events, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	_ = cmd.Run()
	events.finish()
	var explained []string
	for path, p := range events.named {
		if p.explained() {
			explained = append(explained, goTestIDs(path, p.fails)...)
		}
	}
	slices.Sort(explained)
	const m = "example.com/m/"
	want := []string{m + "bad::Test", m + "suite::TestLast", m + "suite::TestLongLine", m + "suite::TestStandardError", m + "suite::TestSubs"}
	if !slices.Equal(explained, want) {
		t.Errorf("the failed tests that explain a failure are\n%q, want\n%q", explained, want)
	}
}

func TestWhatStopsAtTheFirstFailure(t *testing.T) {
	for command, want := range map[string]bool{
		"pytest -x": true, "pytest --maxfail=1 -q": true, "go test -failfast": true, "go test -test.failfast=true ./...": true, "npx jest --bail": true,
		"bundle exec rspec --fail-fast": true, "phpunit --stop-on-failure": true,
		"pytest -q": false, "go test -exec x": false, "make test-x": false, "rspec --format x": false,
	} {
		if got := stopsEarly(command); got != want {
			t.Errorf("%q stops at the first failure: %t, want %t", command, got, want)
		}
	}
}
