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

// split answers which files are split, and returns what was found.
func (k *talk) split(items ...int) []string {
	k.s.t.Helper()
	req, names := k.joined(wire.TestsAnswer{Split: items})
	if !req.Join.Split {
		k.s.t.Fatalf("asked %+v, expected which files to split", req)
	}
	return names
}

// goSandbox is a sandbox with the packages of goModule and one of many tests.
func goSandbox(t *testing.T) *sandbox {
	dir := goModule(t)
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	const many = `package p

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat("many_test.go"); err != nil || os.Getenv("TOLD") != "so it is" {
		fmt.Println("not where go test would be:", err)
		os.Exit(9)
	}
	os.Exit(m.Run())
}

func TestGood(t *testing.T)  { time.Sleep(200 * time.Millisecond) }
func TestGoods(t *testing.T) { t.Error("asked for by nobody") }
func TestBad(t *testing.T)   { t.Run("within", func(t *testing.T) { t.Error("no") }) }
func TestDead(t *testing.T)  { panic("boom") }
func TestLast(t *testing.T) {
	if !strings.HasPrefix(os.Getenv("RUNNER_TEST_RUN"), "run-") {
		t.Error("the run has no name")
	}
	t.Log("seen with -v")
}
func FuzzSeeds(f *testing.F) {
	f.Add(4)
	f.Fuzz(func(t *testing.T, n int) { t.Log(n) })
}
func Example() {
	fmt.Println("four")
	// Output: 4
}
`
	if err := os.Mkdir(filepath.Join(dir, "many"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "many/many_test.go"), []byte(many), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	s.src = dir
	s.env = []string{"GOCACHE=" + strings.TrimSpace(string(cache)), "GOFLAGS=-mod=mod", "GOPROXY=off"}
	return s
}

// ended tells how items of a list ended.
func ended(done wire.TestsDone, names []string) (got []string) {
	for _, r := range done.Results {
		got = append(got, names[r.Item]+" "+r.Outcome)
	}
	slices.Sort(got)
	return got
}

func TestAPackageIsSplitIntoItsTests(t *testing.T) {
	s := goSandbox(t)
	k := s.talkTo(s.sharded(`codebuild-tests-run --files-search "printf './good\n./many\n./odd\n'" --test-command "TOLD='so it is' go test -count=1 -race=false"`))
	if found := k.split(1, 2); !slices.Equal(found, []string{"good", "many", "odd"}) {
		t.Errorf("found %q", found)
	}
	req, names := k.joined(wire.TestsAnswer{})
	want := []string{"good", "many#Example", "many#FuzzSeeds", "many#TestBad", "many#TestDead", "many#TestGood", "many#TestGoods", "many#TestLast", "odd"}
	if !slices.Equal(names, want) || req.Call.Call != 0 || req.Join.Split {
		t.Fatalf("joined %+v with %q, want %q", req.Join, names, want)
	}
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{2, 3, 4, 5, 7, 0, 8, 1}})
	done := k.did(wire.TestsAnswer{})
	want = []string{"good passed", "many#Example failed", "many#FuzzSeeds passed", "many#TestBad failed", "many#TestDead failed", "many#TestGood passed", "many#TestLast passed", "odd broken"}
	if got := ended(done, names); !slices.Equal(got, want) || done.Exit == 0 {
		t.Errorf("exit status %d, results %q, want %q", done.Exit, got, want)
	}
	k.gave(wire.TestsAnswer{Token: 2, Items: []int{5}})
	if done := k.did(wire.TestsAnswer{}); len(done.Results) != 1 || done.Exit != 0 || done.Results[0].Outcome != outcomePassed || done.Results[0].Millis < 200 || done.Results[0].Millis >= done.Millis {
		t.Errorf("a test alone ended %+v", done)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	res := k.end()
	for _, want := range []string{
		"codebuild-tests-run: ./many takes longer than the part of a shard, so it is split into its 7 tests\n",
		"codebuild-tests-run: ./odd takes longer than the part of a shard, but stays whole: it could not be built",
		"  ./many#TestBad\n", "        many_test.go:21: no\n", "FAIL\texample.com/m/many\t", "ok  \texample.com/m/many\t",
	} {
		if !strings.Contains(res.log, want) {
			t.Errorf("the log lacks %q\n%s", want, res.log)
		}
	}
	if n := strings.Count(res.log, "undefined: nothing"); n != 1 || strings.Contains(res.log, "asked for by nobody") || strings.Contains(res.log, "seen with -v") {
		t.Errorf("the compile error is told %d times\n%s", n, res.log)
	}
	if r := res.done.Reports; r == nil || len(r.Groups) != 1 || r.Groups[0].Files < 3 {
		t.Errorf("the reports are %+v", r)
	}
}

func TestWhatMakesOfAPackageAWhole(t *testing.T) {
	t.Setenv("GOFLAGS", "")
	for command, want := range map[string]string{
		"go test": "-test.timeout=10m0s",
		"X=go CGO_ENABLED=1 go test -race -tags a,b":                     "-test.timeout=10m0s",
		"go test -v -short -count 2 --timeout=5m -p 3 $" + shardFilesVar: "-test.short=true -test.count=2 -test.timeout=5m verbose",
		"go test -coverprofile=x":                                        "-coverprofile",
		"go test -exec sudo":                                             "-exec",
		"go test -run 'Test[AB]'":                                        "-run",
		"go test ./...":                                                  "./...",
		"go test -c":                                                     "-c",
		"go test -failfast":                                              "-failfast",
		"go test -tags 'a b'":                                            "not plain",
		"go test -count":                                                 "not plain",
		"go test | tee log":                                              "more than run go test",
		"GOFLAGS=-v go test":                                             "more than run go test",
	} {
		g, err := belowGo(command, "")
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", command, err, want)
			}
			continue
		}
		got := strings.Join(g.flags, " ")
		if g.verbose {
			got += " verbose"
		}
		if g.close(); got != want {
			t.Errorf("%s has the flags %s, want %s", command, got, want)
		}
		if again := g.before + "go test" + g.after; again != command {
			t.Errorf("%s became %s", command, again)
		}
	}
}
