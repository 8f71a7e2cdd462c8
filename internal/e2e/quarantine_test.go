package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// heldSuite is files of shell that fail when they say so, each with a report of its own. Two of the three that fail are
// quarantined: one by its test, one as a whole file, which writes no report.
func heldSuite(until string) map[string]string {
	return map[string]string{
		"buildspec.yml": `version: 0.2
env: {image: ` + image + `}
batch:
  build-fanout: {parallelism: 2}
phases:
  build:
    commands:
      - codebuild-tests-run --files-search "codebuild-glob-search 't/*.sh'" --test-command 'sh run.sh'
reports:
  unit:
    files: ['out/*.xml']
x-runner: {sharding: queue}
`,
		"run.sh": `mkdir -p out
status=0
for file; do
  . "./$file" && verdict='' || { verdict='<failure message="no">no</failure>'; status=1; }
  test -f "$file.silent" || echo "<testsuite name='s'><testcase file='$file' classname='c' name='x'>$verdict</testcase></testsuite>" >"out/$(basename "$file").xml"
done
exit $status
`,
		"t/good.sh": "true\n", "t/better.sh": "true\n", "t/bad.sh": "false\n", "t/silent.sh": "false\n", "t/silent.sh.silent": "",
		".runner/quarantine.yml": "- test: t/bad.sh::c::x\n  owner: '@ann'\n  until: " + until + "\n  reason: slow disk\n- {test: t/silent.sh, owner: bob, until: " + until + "}\n",
	}
}

func day(ahead int) string { return time.Now().UTC().AddDate(0, 0, ahead).Format(time.DateOnly) }

// TestQuarantinedFailuresDoNotCount until their day is over, in the verdict, the counts and what is told early.
func TestQuarantinedFailuresDoNotCount(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", heldSuite(day(3)))
	d := newDaemon(t, "slots: 2\n", project("api", url))
	b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
	if got := b.Tests; got.Passed != 2 || got.Failed != 0 || got.Quarantined != 1 || got.Failing || !strings.Contains(got.Summary, "2 passed, 1 quarantined") || len(b.Warnings) != 0 {
		t.Errorf("the tests came to %+v, with the warnings %q", got, b.Warnings)
	}
	log := d.jobLog(b.ID, b.Jobs[0].ID) + d.jobLog(b.ID, b.Jobs[1].ID)
	for _, want := range []string{"failed only in quarantined tests (t/bad.sh::c::x, owned by @ann, until " + day(3) + ")", "t/silent.sh failed, and does not count: it is in quarantine (owned by bob"} {
		if !strings.Contains(log, want) {
			t.Errorf("the logs lack %q:\n%s", want, log)
		}
	}
	out, errs, exit := d.runCLI(repo.Dir, "tests", "failures", b.ID)
	if want := "does not count: t/bad.sh::c::x is quarantined by @ann until " + day(3) + ": slow disk"; exit != 0 || !strings.Contains(out, want) {
		t.Errorf("runner tests failures exited %d without %q:\n%s%s", exit, want, out, errs)
	}
	out, errs, exit = d.runCLI(repo.Dir, "tests", "quarantine", "api", "--json")
	var q client.Quarantine
	if err := json.Unmarshal([]byte(out), &q); err != nil || exit != 0 || q.Build != b.ID || len(q.Items) != 2 || q.Items[0].State != "in_force" ||
		q.Items[0].Failed != 1 || q.Items[0].Runs != 1 || q.Items[0].Last == nil || !q.Items[0].Last.Quarantined || q.Items[1].Tests != 0 {
		t.Errorf("runner tests quarantine exited %d with %v:\n%s%s", exit, err, out, errs)
	}
	for _, change := range []struct {
		name, file, text, warning string
		quarantined, failed       int
	}{
		{"another test fails, too", "t/better.sh", "false\n", "", 1, 1},
		{"the day is over", ".runner/quarantine.yml", heldSuite(day(-1))[".runner/quarantine.yml"], "the quarantine of t/bad.sh::c::x, owned by @ann, ended on " + day(-1), 0, 2},
		{"the file is broken", ".runner/quarantine.yml", "- test: t/bad.sh\n", "no quarantine is in force, because .runner/quarantine.yml cannot be read: .runner/quarantine.yml:1:3: the entry has no owner", 0, 2},
	} {
		if err := repo.Write(change.file, change.text); err != nil {
			t.Fatal(err)
		}
		commit, err := repo.Commit(t.Context(), change.name)
		if err != nil {
			t.Fatal(err)
		}
		b := d.settled(d.ended(d.push(url, commit), "FAILED"))
		if got := b.Tests; got.Quarantined != change.quarantined || got.Failed != change.failed || !got.Failing || change.warning != "" && (len(b.Warnings) == 0 || !strings.Contains(b.Warnings[0], change.warning)) {
			t.Errorf("%s: the tests came to %+v, with the warnings %q", change.name, got, b.Warnings)
		}
	}
	d.assertClean()
}

// TestGoTellsWhichTestsFailed: a package whose failed tests are quarantined does not count, unless its binary died.
func TestGoTellsWhichTestsFailed(t *testing.T) {
	t.Parallel()
	test := func(name, body string) string {
		return "package p\n\nimport \"testing\"\n\nfunc " + name + "(t *testing.T) { " + body + " }\n"
	}
	git := newGitServer(t)
	repo, url, commit := git.repo("go", map[string]string{
		"buildspec.yml": `version: 0.2
env: {image: runner-test/golang:1.26, variables: {GOTOOLCHAIN: local, GOFLAGS: -mod=mod}}
phases:
  build:
    commands:
      - codebuild-tests-run --sharding-strategy timing --files-search "go list ./..." --test-command "go test -vet=off"
x-runner: {sharding: timing}
`,
		"go.mod":         "module example.com/m\n\ngo 1.26\n",
		"good/a_test.go": test("TestGood", ""),
		"held/a_test.go": test("TestHeld", `t.Run("sub", func(t *testing.T) { t.Error("no") })`) + "\nfunc TestOther(t *testing.T) {}\n",
		"dead/a_test.go": test("TestDead", ""),
		".runner/quarantine.yml": "- {test: 'example.com/m/held::TestHeld', owner: ann, until: " + day(1) + "}\n" +
			"- {test: 'example.com/m/dead', owner: ann, until: " + day(1) + "}\n",
	})
	d := newDaemon(t, "slots: 1\n", project("go", url))
	b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
	if got := b.Tests; got.Quarantined != 2 || got.Passed != 3 || got.Failed != 0 {
		t.Errorf("the tests came to %+v, want 3 passed and the test with its subtest quarantined", got)
	}
	if log := d.jobLog(b.ID, b.Jobs[0].ID); !strings.Contains(log, "example.com/m/held failed only in quarantined tests (example.com/m/held::TestHeld, owned by ann") {
		t.Errorf("the log does not say what was left out:\n%s", log)
	}
	if err := repo.Write("dead/a_test.go", test("TestDead", `panic("boom")`)); err != nil {
		t.Fatal(err)
	}
	commit, err := repo.Commit(t.Context(), "Die")
	if err != nil {
		t.Fatal(err)
	}
	b = d.settled(d.ended(d.push(url, commit), "FAILED"))
	if log := d.jobLog(b.ID, b.Jobs[0].ID); strings.Contains(log, "m/dead failed only") || !strings.Contains(log, "m/held failed only") {
		t.Errorf("a binary that died counts so:\n%s", log)
	}
	d.assertClean()
}

// TestPytestTellsWhichTestsFailed, without any report: by the name of a test as pytest prints it and by the pattern of a file.
// A test beside them that is not quarantined counts.
func TestPytestTellsWhichTestsFailed(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	buildspec := `version: 0.2
env: {image: "runner-test/python:3"}
phases:
  build:
    commands:
      - codebuild-tests-run --files-search "ls tests/test_*.py" --test-command 'python3 -m pytest -q'
  post_build:
    commands:
      - mkdir -p out; python3 -m pytest -q --junitxml=out/unit.xml || true
reports: {unit: {files: ['out/*.xml']}}
x-runner: {sharding: queue}
`
	repo, url, commit := git.repo("pytest", map[string]string{
		"buildspec.yml":         buildspec,
		"tests/test_a.py":       "class TestC:\n    def test_held(self): assert 0\n    def test_good(self): pass\n",
		"tests/test_mail_in.py": "def test_in(): assert 0\n",
		".runner/quarantine.yml": "- {test: 'tests/test_a.py::TestC::test_held', owner: ann, until: " + day(1) + "}\n" +
			"- {test: 'tests/test_mail_*.py', owner: bob, until: " + day(1) + "}\n",
	})
	d := newDaemon(t, "slots: 1\n", project("pytest", url))
	b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
	if got := b.Tests; got.Quarantined != 2 || got.Passed != 1 || got.Failed != 0 || got.Failing {
		t.Errorf("the tests came to %+v, want 1 passed and 2 quarantined", got)
	}
	log := d.jobLog(b.ID, b.Jobs[0].ID)
	for _, want := range []string{"tests/test_a.py failed only in quarantined tests (TestC::test_held, owned by ann", "tests/test_mail_in.py failed, and does not count: it is in quarantine (owned by bob"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	if err := repo.Write("tests/test_a.py", "class TestC:\n    def test_held(self): assert 0\n    def test_good(self): assert 0\n"); err != nil {
		t.Fatal(err)
	}
	commit, err := repo.Commit(t.Context(), "Break")
	if err != nil {
		t.Fatal(err)
	}
	b = d.settled(d.ended(d.push(url, commit), "FAILED"))
	if got := b.Tests; got.Quarantined != 2 || got.Failed != 1 || !got.Failing {
		t.Errorf("the tests came to %+v, want 1 failed and 2 quarantined", got)
	}
	d.assertClean()
}
