//go:build linux

package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// recordedJest writes, as Jest 29.7 did in /src, what was recorded: a list of names when the pattern matches none, some of
// a file where there is another pattern, and else all files.
const recordedJest = `#!/bin/sh
for word do
  case $word in
  --outputFile=*) out=${word#*=} ;;
  --testNamePattern) of=some ;;
  '(?!)') of=list ;;
  '^('*) printf 'pattern %s\n' "$word" ;;
  esac
done
printf 'jest %s\n' "$RUNNER_TEST_RUN"
sed "s|/src/|$PWD/|" recorded/${of:-run}.json >"$out"
case $of in list) ;; *) exit 1 ;; esac
`

// jestSandbox is a sandbox with a Jest that repeats itself.
func jestSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := newSandbox(t)
	if err := os.CopyFS(filepath.Join(s.src, "recorded"), os.DirFS("testdata/jest")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"jest": recordedJest, "odd.test.js": "", "good.test.js": "", "after.test.js": "", "broken.test.js": ""} {
		if err := os.WriteFile(filepath.Join(s.src, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

const searchJest = `codebuild-tests-run --files-search "ls *.test.js" --test-command `

// oddJest are the tests of the recorded file.
var oddJest = []string{"outer (x) a.b* [c]", "outer (x) each 1", "outer (x) each 2", `outer (x) it's $1 "q" \ /`, "outer (x) skipped", "top"}

func jestItems(files ...string) []string {
	for _, test := range oddJest {
		files = append(files, "odd.test.js#"+test)
	}
	slices.Sort(files)
	return files
}

// TestJestIsKnownByItsTests: whole files run in one process and tests of a file in another, by a pattern of their names.
func TestJestIsKnownByItsTests(t *testing.T) {
	s := jestSandbox(t)
	k := s.talkTo(s.sharded(searchJest + `"./jest --ci"`))
	k.split(3)
	_, names := k.joined(wire.TestsAnswer{})
	if want := jestItems("after.test.js", "broken.test.js", "good.test.js"); !slices.Equal(names, want) {
		t.Fatalf("joined with\n%q, want\n%q", names, want)
	}
	items := []int{0, 1, 2, slices.Index(names, "odd.test.js#"+oddJest[3]), slices.Index(names, "odd.test.js#top")}
	k.gave(wire.TestsAnswer{Token: 1, Items: items})
	done := k.did(wire.TestsAnswer{})
	want := []string{"after.test.js failed", "broken.test.js broken", "good.test.js passed", "odd.test.js#" + oddJest[3] + " failed", "odd.test.js#top passed"}
	if got := ended(done, names); !slices.Equal(got, want) || done.Exit != 1 {
		t.Errorf("exit status %d, results\n%q, want\n%q", done.Exit, got, want)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	log := k.end().log
	for _, want := range []string{"odd.test.js takes longer than the part of a shard, so it is split into its 6 tests\n", "jest run-1\n", `pattern ^(outer \(x\) it's \$1 "q" \\ /|top)$` + "\njest run-2\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q\n%s", want, log)
		}
	}
}

// TestJestTellsWhichTestsFailed, so that these alone are tried again.
func TestJestTellsWhichTestsFailed(t *testing.T) {
	s := jestSandbox(t)
	k := s.talkTo(s.sharded(searchJest + `"./jest"`))
	k.split()
	k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{2, 3}, Each: true})
	done := k.did(wire.TestsAnswer{Again: []int{3}})
	if len(done.Results) != 2 || done.Results[1].Outcome != outcomePassed || !slices.Equal(done.Results[0].Failed, oddJest[3:4]) || done.Results[0].Millis < 100 {
		t.Errorf("did %+v, want one test of the second failed", done)
	}
	k.gave(wire.TestsAnswer{Token: 2, Items: []int{3}, Each: true, Round: 2, Only: map[int][]string{3: oddJest[3:4]}})
	if done := k.did(wire.TestsAnswer{}); len(done.Results) != 1 || done.Results[0].Outcome != outcomeFailed {
		t.Errorf("did %+v, want it failed again", done)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	k.end()
}

// TestJestItself runs the suite that the recorded results are of.
func TestJestItself(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("needs npm and its registry: set RUNNER_SLOW=1")
	}
	s := newSandbox(t)
	for name, text := range map[string]string{
		"package.json":  `{"name": "x", "version": "1.0.0"}`,
		"odd.test.js":   "describe('outer (x)', () => {\n  test('a.b* [c]', () => {});\n  test(\"it's $1 \\\"q\\\" \\\\ /\", () => { throw new Error('no'); });\n  test.each([1, 2])('each %d', () => {});\n  test.skip('skipped', () => {});\n});\ntest('top', () => {});\n",
		"good.test.js":  "test('one', () => {});\n",
		"after.test.js": "test('fine', () => {});\nafterAll(() => { throw new Error('after'); });\n",
		"time.test.js":  "test('a', () => {});\ntest('at ' + Date.now() + Math.random(), () => {});\n",
	} {
		if err := os.WriteFile(filepath.Join(s.src, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	npm := exec.Command("npm", "install", "--no-audit", "--no-fund", "jest@29.7.0")
	npm.Dir = s.src
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	k := s.talkTo(s.sharded(searchJest + `"npx jest"`))
	k.split(2, 3)
	_, names := k.joined(wire.TestsAnswer{})
	if want := jestItems("after.test.js", "good.test.js", "time.test.js"); !slices.Equal(names, want) {
		t.Fatalf("joined with\n%q, want\n%q", names, want)
	}
	items := []int{0, 1, slices.Index(names, "odd.test.js#"+oddJest[0]), slices.Index(names, "odd.test.js#"+oddJest[3])}
	k.gave(wire.TestsAnswer{Token: 1, Items: items})
	done := k.did(wire.TestsAnswer{})
	want := []string{"after.test.js failed", "good.test.js passed", "odd.test.js#" + oddJest[0] + " passed", "odd.test.js#" + oddJest[3] + " failed"}
	if got := ended(done, names); !slices.Equal(got, want) || done.Exit == 0 {
		t.Errorf("exit status %d, results\n%q, want\n%q", done.Exit, got, want)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	if log := k.end().log; !strings.Contains(log, "time.test.js takes longer than the part of a shard, but stays whole: its tests have other names") {
		t.Error(log)
	}
}

func TestWhatJestIs(t *testing.T) {
	for command, want := range map[string]bool{
		"jest": true, "npx jest --ci": true, "npx --no-install jest": true, "node_modules/.bin/jest": true, "CI=1 yarn jest": true, "yarn run jest": true,
		"node --experimental-vm-modules node_modules/jest/bin/jest.js": true, "pnpm exec jest --reporters=default": true,
		"npm test --": false, "jest --coverage": false, "jest -t x": false, "jest --bail": false, "jest --json": false, "jest | cat": false, "npx jest-cli": false, "echo jest": false,
	} {
		j := openJest(command)
		if (j != nil) != want {
			t.Errorf("%q is known: %v, want %v", command, j != nil, want)
		}
		if j != nil {
			j.close()
		}
	}
}
