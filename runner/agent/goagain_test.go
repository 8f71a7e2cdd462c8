//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestOnlyFailedTestsOfAPackageAreTriedAgain: a subtest with the test around it. Where a test ended the package, or did
// not compile, nobody knows what of it to try.
func TestOnlyFailedTestsOfAPackageAreTriedAgain(t *testing.T) {
	s := goSandbox(t)
	const flaky = `package p

import (
	"os"
	"strings"
	"testing"
)

func TestFine(t *testing.T) { t.Log("again") }
func TestSubs(t *testing.T) {
	t.Run("flaky", func(t *testing.T) {
		if !strings.Contains(os.Getenv("RUNNER_TEST_RUN"), "retry-") {
			t.Error("not yet")
		}
	})
}
`
	if err := os.Mkdir(filepath.Join(s.src, "flaky"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.src, "flaky/p_test.go"), []byte(flaky), 0o600); err != nil {
		t.Fatal(err)
	}
	k := s.talkTo(s.sharded(`codebuild-tests-run --files-search "printf './dead\n./flaky\n./good\n./odd\n'" --test-command "go test -count=1 -v"`))
	k.split()
	k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1, 2, 3}, Each: true})
	for _, r := range k.did(wire.TestsAnswer{Again: []int{0, 1}}).Results {
		if failed := r.Item == 1; slices.Equal(r.Failed, []string{"TestSubs"}) != failed || !failed && len(r.Failed) > 0 {
			t.Errorf("of package %d these tests failed alone: %q", r.Item, r.Failed)
		}
	}
	k.gave(wire.TestsAnswer{Token: 5, Items: []int{1, 2}, Each: true, Round: 5, Only: map[int][]string{1: {"TestSubs"}}})
	done := k.did(wire.TestsAnswer{})
	if len(done.Results) != 2 || done.Exit != 0 || done.Results[0].Outcome != outcomePassed || done.Results[1].Outcome != outcomePassed {
		t.Errorf("did %+v, want both passed", done)
	}
	k.gave(wire.TestsAnswer{Token: 6, Items: []int{1}, Each: true, Round: 6, Only: map[int][]string{1: {"TestGone"}}})
	if done := k.did(wire.TestsAnswer{}); len(done.Results) != 1 || done.Results[0].Outcome != outcomeFailed {
		t.Errorf("did %+v, want a test that is not there failed", done)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	log := k.end().log
	if n := strings.Count(log, "--- PASS: TestFine"); n != 1 || strings.Count(log, "    --- PASS: TestSubs/flaky") != 1 {
		t.Errorf("the test that passed ran %d times, want once, and the other one twice\n%s", n, log)
	}
}

func TestTheCommandOfSingleTests(t *testing.T) {
	t.Setenv("GOFLAGS", "")
	t.Setenv(discoverVar, "")
	tests := []string{"TestA", "ExampleB_c"}
	for command, want := range map[string]string{
		"go test":                               "go test -json -run '^(TestA|ExampleB_c)$'",
		"X=1 go test -v $" + shardFilesVar:      "X=1 go test -json -run '^(TestA|ExampleB_c)$' -v $" + shardFilesVar,
		"go test -coverprofile=c.out -tags run": "go test -json -run '^(TestA|ExampleB_c)$' -coverprofile=c.out -tags run",
		"go test -run Test":                     "",
		"go test -skip=x":                       "",
		"go test | cat":                         "",
		"go test -bench .":                      "",
	} {
		got := ""
		if choosable(command, tests) {
			g := watchGo(command, t.TempDir(), "run-1", tests...)
			got = g.command
			g.finish()
		}
		if got != want {
			t.Errorf("%q became %q, want %q", command, got, want)
		}
	}
	if choosable("go test", []string{"Test'; rm -r x"}) || choosable("go test", nil) {
		t.Error("what names no test is chosen")
	}
}
