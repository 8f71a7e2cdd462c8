package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestWhenGoTestTellsItsEvents(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=mod")
	for command, want := range map[string]string{
		"go test":                             "go test -json",
		"A='b c' go  test -count=1":           "A='b c' go  test -json -count=1",
		"go test -v=false":                    "go test -json -v=false",
		"go test -v -race":                    "go test -json -v -race verbose",
		"go test --test.v":                    "go test -json --test.v verbose",
		`go test "$` + shardFilesVar + `"`:    `go test -json "$` + shardFilesVar + `"`,
		"go test -json":                       "",
		"go test -bench=.":                    "",
		"go test -c":                          "",
		"go test | tee log":                   "",
		"go test $FLAGS":                      "",
		"go test && echo":                     "",
		"GOFLAGS=-v go test":                  "",
		"go vet":                              "",
		"go test `cat list`":                  "",
		"go test -run 'Test[AB]' -timeout 5m": "go test -json -run 'Test[AB]' -timeout 5m",
	} {
		got, verbose, ok := asJSON(command)
		if verbose {
			got += " verbose"
		}
		if got != want || ok != (want != "") {
			t.Errorf("%q becomes %q, want %q", command, got, want)
		}
	}
	t.Setenv("GOFLAGS", "-v")
	if _, verbose, ok := asJSON("go test"); !verbose || !ok {
		t.Error("-v of GOFLAGS is not seen")
	}
	t.Setenv(discoverVar, "false")
	if _, _, ok := asJSON("go test"); ok {
		t.Error("events are kept though no report is wanted")
	}
}

// goSuite has a test for each way in which a test can say something and end.
const goSuite = `package p

import (
	"fmt"
	"os"
	"testing"
)

func TestLogs(t *testing.T) { t.Log("one\nsecond\n\nthird"); fmt.Println("printed") }
func TestSubs(t *testing.T) {
	t.Log("before")
	t.Run("fails", func(t *testing.T) {
		t.Log("in it")
		t.Run("deep/er", func(t *testing.T) { t.Error("deep\nerror"); fmt.Println("printed deep down") })
	})
	t.Log("between")
	t.Run("passes", func(t *testing.T) { t.Log("fine") })
	t.Run("skips", func(t *testing.T) { t.Skip("because") })
	t.Error("own")
}
func TestSkips(t *testing.T) { t.Skip("why") }
func TestInTurns(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); t.Log("1"); t.Run("c", func(t *testing.T) { t.Log("2") }); t.Log("3") })
	}
}
func TestNoEndOfLine(t *testing.T) { fmt.Print("no end of line") }
func TestStandardError(t *testing.T) { fmt.Fprintln(os.Stderr, "to standard error"); t.Fail() }
func TestSpaces(t *testing.T) { fmt.Println("      six spaces\n--- FAIL: TestSomethingElse (0.00s)"); fmt.Println() }
func TestLongLine(t *testing.T) { t.Logf("%09000d", 1); t.Error("x") }
func TestLast(t *testing.T) { t.Error("last") }
`

func goSuites(t *testing.T) string {
	t.Helper()
	dir := goModule(t)
	for name, text := range map[string]string{
		"suite/p_test.go":   goSuite,
		"exits/p_test.go":   "package p\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc Test(t *testing.T) { t.Log(\"lost\"); println(\"said\"); os.Exit(3) }\n",
		"subdead/p_test.go": "package p\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {\n\tt.Log(\"outer\")\n\tt.Run(\"sub\", func(t *testing.T) {\n\t\tt.Log(\"inner\")\n\t\tpanic(\"boom\")\n\t})\n}\n",
		"quiet/p_test.go":   "package p\n\nimport (\n\t\"fmt\"\n\t\"testing\"\n)\n\nfunc Test(t *testing.T) { fmt.Println(\"seen by nobody\"); t.Log(\"nor this\") }\n",
		"vetted/p_test.go":  "package p\n\nimport (\n\t\"fmt\"\n\t\"testing\"\n)\n\nfunc Test(t *testing.T) { fmt.Printf(\"%d\\n\", \"x\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// changing is what differs between two runs of the same tests.
var changing = regexp.MustCompile(`\b[0-9]+\.[0-9]+s\b|0x[0-9a-f]+|goroutine [0-9]+|in goroutine [0-9]+|\+0x[0-9a-f]+`)

// TestEventsBecomeWhatGoTestPrints runs go test both ways.
func TestEventsBecomeWhatGoTestPrints(t *testing.T) {
	dir := goSuites(t)
	all := []string{"./suite", ".", "./good", "./bad", "./dead", "./none", "./odd", "./lost", "./exits", "./subdead", "./quiet", "./vetted"}
	for _, tt := range []struct {
		name  string
		flags []string
		pkgs  []string
	}{
		{"all", []string{"-count=1"}, all},
		{"all, told in full", []string{"-count=1", "-v"}, all},
		{"with coverage", []string{"-count=1", "-cover"}, all},
		{"one", []string{"-count=1"}, all[:1]},
		{"one, told in full", []string{"-count=1", "-v"}, all[:1]},
		{"those that pass", []string{"-count=1"}, []string{"./good", ".", "./quiet"}},
		{"no test of that name", []string{"-count=1", "-run", "Nothing"}, []string{"./good", "./none"}},
		{"cached", nil, []string{"./good", ".", "./quiet", "./bad"}},
		{"cached, told in full", []string{"-v"}, []string{"./good", "."}},
		{"fail fast", []string{"-count=1", "-failfast"}, []string{"./suite"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append(append([]string{"test", "-parallel=1"}, tt.flags...), tt.pkgs...)
			command := strings.Join(append([]string{"go"}, args...), " ")
			changed, verbose, ok := asJSON(command)
			if !ok {
				t.Fatalf("%s tells no events", command)
			}
			run := func(command string, out, errs io.Writer) int {
				cmd := exec.Command("sh", "-c", command)
				cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, errs
				cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
				_ = cmd.Run()
				return cmd.ProcessState.ExitCode()
			}
			if tt.flags == nil || tt.flags[0] != "-count=1" { // fill the cache of both
				run(command, io.Discard, io.Discard)
				run(changed, io.Discard, io.Discard)
			}
			var out, errs, built, plain, plainErrs, kept bytes.Buffer
			status := run(command, &plain, &plainErrs)
			events := &goEvents{out: &out, errs: &built, kept: &kept, verbose: verbose, named: map[string]*goEventPackage{}}
			if got := run(changed, events, &errs); got != status {
				t.Errorf("it ends with %d, plainly with %d", got, status)
			}
			events.finish()
			same := func(what string, got, want []byte) {
				g, w := changing.ReplaceAllString(string(got), "#"), changing.ReplaceAllString(string(want), "#")
				if g != w {
					t.Errorf("%s differs\n%s", what, firstDifference(g, w))
				}
			}
			same("standard output", out.Bytes(), plain.Bytes())
			errs.Write(built.Bytes())
			same("standard error", sortedBlocks(errs.String()), sortedBlocks(plainErrs.String()))
			if !bytes.HasPrefix(kept.Bytes(), []byte("{")) || !bytes.HasSuffix(kept.Bytes(), []byte("}\n")) {
				t.Errorf("the report is %.200s", &kept)
			}
		})
	}
}

// sortedBlocks orders what several builds say at one time, in blocks that begin with "# package" or "go:".
func sortedBlocks(text string) []byte {
	var blocks []string
	for line := range strings.Lines(text) {
		if len(blocks) == 0 || strings.HasPrefix(line, "go:") || strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# [") {
			blocks = append(blocks, "")
		}
		blocks[len(blocks)-1] += line
	}
	slices.Sort(blocks)
	return []byte(strings.Join(blocks, ""))
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	show := func(lines []string) string {
		return strings.Join(lines[max(0, min(i-2, len(lines))):min(i+6, len(lines))], "\n")
	}
	return fmt.Sprintf("at line %d:\n%.2000s\nwant\n%.2000s", i+1, show(g), show(w))
}
