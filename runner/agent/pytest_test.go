//go:build linux

package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// pytestSandbox is a sandbox with files of Python tests.
func pytestSandbox(t *testing.T, files map[string]string) *sandbox {
	t.Helper()
	if _, err := exec.LookPath("pytest"); err != nil {
		t.Skip("pytest is not installed")
	}
	s := newSandbox(t)
	for name, text := range files {
		path := filepath.Join(s.src, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// pythonSuite has what names of tests can hold, and ways to end.
var pythonSuite = map[string]string{
	"conftest.py": "import os\n\ndef pytest_runtest_setup(item):\n    assert 'RUNNER_PYTEST' not in os.environ\n    assert 'PYTEST_ADDOPTS' not in os.environ\n    assert os.environ.get('PYTHONPATH') == '/nowhere'\n",
	"t/odd_test.py": `import time
import pytest

@pytest.mark.parametrize("s", ["a b", "x[1]", "it's \"$1\"", "über", "a::b", "new\nline", "#5"])
def test_odd(s):
    time.sleep(0.02)

class TestClass:
    def test_bad(self):
        assert 0
    @pytest.mark.skip
    def test_skipped(self):
        pass
    @pytest.mark.slow
    def test_slow(self):
        assert 0, "left out by -m"
`,
	"t/good_test.py":   "def test_one(): pass\ndef test_two(): pass\n",
	"t/dead_test.py":   "import os\n\ndef test_first(): pass\ndef test_dead(): os._exit(9)\ndef test_last(): pass\n",
	"t/broken_test.py": "import nowhere\n",
	"t/time_test.py":   "import time\nimport pytest\n\n@pytest.mark.parametrize('t', [str(time.time_ns()), 'b'])\ndef test_t(t): pass\n",
	"pytest.ini":       "[pytest]\nmarkers =\n    slow: takes long\n",
}

const searchPython = `codebuild-tests-run --files-search "ls ./t/*_test.py" --test-command `

// TestPytestIsKnownByItsTests: files that take long are split, one process runs what a batch has of them and whole files,
// and neither a file that cannot be read nor a test that ends the process keeps others from running.
func TestPytestIsKnownByItsTests(t *testing.T) {
	for _, command := range []string{"pytest -q -m 'not slow' --junitxml=out.xml", "pytest -q -m 'not slow' -n 2 --junitxml=out.xml"} {
		if strings.Contains(command, "-n 2") && exec.Command("pytest", "-n", "1", "--version").Run() != nil {
			continue // pytest-xdist is not installed
		}
		s := pytestSandbox(t, pythonSuite)
		s.env = []string{"PYTHONPATH=/nowhere"}
		k := s.talkTo(s.sharded(searchPython + `"` + command + `"`))
		if found := k.split(0, 1, 3, 4); !slices.Equal(found, []string{"t/broken_test.py", "t/dead_test.py", "t/good_test.py", "t/odd_test.py", "t/time_test.py"}) {
			t.Fatalf("found %q", found)
		}
		_, names := k.joined(wire.TestsAnswer{})
		odd := []string{"#test_odd[#5]", "#test_odd[a b]", "#test_odd[a::b]", `#test_odd[it's "$1"]`, `#test_odd[new\nline]`, "#test_odd[x[1]]", `#test_odd[\xfcber]`, "#TestClass::test_bad", "#TestClass::test_skipped"}
		want := []string{"t/broken_test.py", "t/dead_test.py#test_dead", "t/dead_test.py#test_first", "t/dead_test.py#test_last", "t/good_test.py", "t/time_test.py"}
		for _, test := range odd {
			want = append(want, "t/odd_test.py"+test)
		}
		if slices.Sort(want); !slices.Equal(names, want) {
			t.Fatalf("joined with\n%q, want\n%q", names, want)
		}
		var all []int
		var ends []string
		for i, name := range names {
			if strings.Contains(name, "skipped") || strings.Contains(name, "time_test") && strings.Contains(command, "-n 2") {
				continue // pytest-xdist itself runs nothing where its processes find other tests
			}
			all = append(all, i)
			outcome := " passed"
			switch {
			case strings.Contains(name, "broken"):
				outcome = " broken"
			case strings.Contains(name, "bad"), strings.Contains(name, "test_dead"):
				outcome = " failed"
			}
			ends = append(ends, name+outcome)
		}
		k.gave(wire.TestsAnswer{Token: 1, Items: all})
		done := k.did(wire.TestsAnswer{})
		if got := ended(done, names); !slices.Equal(got, ends) || done.Exit == 0 {
			t.Errorf("%s: exit status %d, results\n%q, want\n%q", command, done.Exit, got, ends)
		}
		one := slices.Index(names, "t/odd_test.py#test_odd[a b]")
		k.gave(wire.TestsAnswer{Token: 2, Items: []int{one}})
		if done := k.did(wire.TestsAnswer{}); len(done.Results) != 1 || done.Exit != 0 || done.Results[0].Outcome != outcomePassed || done.Results[0].Millis < 20 || done.Results[0].Millis >= done.Millis {
			t.Errorf("%s: a test alone ended %+v", command, done)
		}
		k.gave(wire.TestsAnswer{Over: true, Fails: true})
		res := k.end()
		for _, want := range []string{
			"./t/odd_test.py takes longer than the part of a shard, so it is split into its 9 tests\n",
			"./t/broken_test.py takes longer than the part of a shard, but stays whole: it could not be collected alone",
			"./t/time_test.py takes longer than the part of a shard, but stays whole: its tests have other names each time they are listed",
		} {
			if !strings.Contains(res.log, want) {
				t.Errorf("%s: the log lacks %q\n%s", command, want, res.log)
			}
		}
	}
}

// TestPytestTellsWhichTestsFailed, so that these alone are tried again, in a batch of several files.
func TestPytestTellsWhichTestsFailed(t *testing.T) {
	s := pytestSandbox(t, map[string]string{
		"t/a_test.py": "import os\n\ndef test_a(): pass\ndef test_flaky(): assert 'retry' in os.environ['RUNNER_TEST_RUN']\n",
		"t/b_test.py": "def test_b(): pass\n",
	})
	k := s.talkTo(s.sharded(searchPython + `'python3 -m pytest -v'`))
	if strings.Contains(pytestPython(t), "No module") {
		t.Skip("python3 has no pytest")
	}
	k.split()
	k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1}, Each: true})
	done := k.did(wire.TestsAnswer{Again: []int{0}})
	if got := fmt.Sprint(done.Exit, done.Results); len(done.Results) != 2 || done.Results[0].Outcome != outcomeFailed || !slices.Equal(done.Results[0].Failed, []string{"test_flaky"}) || done.Results[1].Outcome != outcomePassed {
		t.Errorf("did %s, want test_flaky failed", got)
	}
	k.gave(wire.TestsAnswer{Token: 2, Items: []int{0}, Each: true, Round: 2, Only: map[int][]string{0: {"test_flaky"}}})
	if done := k.did(wire.TestsAnswer{Flaky: []int{0}}); done.Exit != 0 || len(done.Results) != 1 || done.Results[0].Outcome != outcomePassed {
		t.Errorf("did %+v, want it passed", done)
	}
	k.gave(wire.TestsAnswer{Token: 3, Items: []int{0}, Each: true, Round: 3, Only: map[int][]string{0: {"test_gone"}}})
	if done := k.did(wire.TestsAnswer{}); len(done.Results) != 1 || done.Results[0].Outcome != outcomeFailed {
		t.Errorf("did %+v, want a test that is not found failed", done)
	}
	k.gave(wire.TestsAnswer{Over: true})
	log := k.end().log
	for _, want := range []string{"1 failed, 2 passed", "1 passed, 1 deselected", "there is no test test_gone any more in ./t/a_test.py"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q\n%s", want, log)
		}
	}
}

func pytestPython(t *testing.T) string {
	out, _ := exec.Command("python3", "-m", "pytest", "--version").CombinedOutput()
	return string(out)
}

// TestPytestThatIsNotKnown runs as any other command: its exit status alone counts.
func TestPytestThatIsNotKnown(t *testing.T) {
	s := pytestSandbox(t, map[string]string{"pytest.ini": "[pytest]\naddopts = -x\n", "t/a_test.py": "def test_a(): assert 0\n", "t/b_test.py": "def test_b(): pass\n"})
	k := s.talkTo(s.sharded(searchPython + `'pytest -q'`))
	k.split(0)
	_, names := k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1}})
	if done := k.did(wire.TestsAnswer{}); len(names) != 2 || done.Exit != 1 || len(done.Results) != 0 {
		t.Errorf("did %+v of %q, want exit status 1 and no results", done, names)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	if log := k.end().log; !strings.Contains(log, "stays whole: pytest's option maxfail needs it as a whole") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestWhatPytestIs(t *testing.T) {
	for command, want := range map[string]bool{
		"pytest": true, " pytest -q": true, "python -m pytest -k 'a b'": true, "python3.11 -u -m pytest": true, ".venv/bin/python -m pytest": true,
		"X=1 Y='a b' venv/bin/pytest -v": true, "poetry run pytest": true, "uv run python -m pytest": true,
		"pytest --junitxml=out/$RUNNER_TEST_RUN.xml": true, "pytest $" + shardFilesVar: true, "py.test": true,
		"pytest | tee log": false, "coverage run -m pytest": false, "cd x && pytest": false, "python -I -m pytest": false, "PYTHONPATH=src pytest": false, "PYTEST_ADDOPTS=-v pytest": false,
		"pytest -x": false, "pytest --maxfail=2": false, "pytest --lf": false, "tox": false, "echo pytest": false, "pytest-watch": false, "python -m pytester": false,
	} {
		p := openPytest(command)
		if (p != nil) != want {
			t.Errorf("%q is known: %v, want %v", command, p != nil, want)
		}
		if p != nil {
			p.close()
		}
	}
}
