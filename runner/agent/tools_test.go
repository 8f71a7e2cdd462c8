package agent

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// raceExit spares each process of a test binary with the race detector the second that it sleeps before it exits
// (https://go.dev/doc/articles/race_detector).
const raceExit = "GORACE=atexit_sleep_ms=10"

func TestEqualSharesAreContiguousAndEven(t *testing.T) {
	for _, tt := range []struct{ files, shards int }{{10, 3}, {3, 5}, {0, 2}, {7, 7}, {1000, 16}, {5, 1}} {
		files := make([]string, tt.files)
		for i := range files {
			files[i] = fmt.Sprintf("test_%04d.py", i)
		}
		var all []string
		least, most := math.MaxInt, 0
		for i := range tt.shards {
			share := equalShare(files, i, tt.shards)
			all = append(all, share...)
			least, most = min(least, len(share)), max(most, len(share))
		}
		if !slices.Equal(all, files) || most-least > 1 {
			t.Errorf("%d files on %d shards: %d to %d each, together %d", tt.files, tt.shards, least, most, len(all))
		}
	}
}

func TestStableSharesStay(t *testing.T) {
	var files []string
	for i := range 2000 {
		files = append(files, fmt.Sprintf("pkg%d/file_%d_test.go", i%37, i))
	}
	const shards = 8
	total := 0
	for i := range shards {
		n := len(stableShare(files, i, shards))
		total += n
		if want := len(files) / shards; n < want*7/10 || n > want*13/10 {
			t.Errorf("shard %d takes %d files, far from %d", i, n, want)
		}
	}
	if total != len(files) {
		t.Errorf("the shards take %d of %d files", total, len(files))
	}
	moved := 0
	for _, file := range files {
		before, after := shardOf(file, shards), shardOf(file, shards+1)
		if before != after {
			moved++
			if after != shards {
				t.Fatalf("%s moved from shard %d to %d, which is not the new one", file, before, after)
			}
		}
	}
	if limit := len(files) / shards; moved > limit*13/10 {
		t.Errorf("one shard more moved %d files", moved)
	}
}

// tool runs a tool as the job does, in a directory with some tests.
type toolRun struct {
	out, err string
	status   int
}

func runTool(t *testing.T, dir string, env []string, args ...string) toolRun {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name := range tools {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(bin, args[0]), args[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{raceExit, "PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return toolRun{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func testTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a_test.py", "b_test.py", "deep/er/c_test.py", "it's d_test.py", ".git/hidden_test.py", "app.py"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestGlobSearch(t *testing.T) {
	dir := testTree(t)
	tests := []struct {
		globs  []string
		out    string
		err    string
		status int
	}{
		{[]string{"**/*_test.py"}, "a_test.py\nb_test.py\ndeep/er/c_test.py\nit's d_test.py\n", "", 0},
		{[]string{"*_test.py"}, "a_test.py\nb_test.py\nit's d_test.py\n", "", 0},
		{[]string{"a*", "**/c_*", "a_test.py"}, "a_test.py\napp.py\ndeep/er/c_test.py\n", "", 0},
		{[]string{".git/*"}, ".git/hidden_test.py\n", "", 0},
		{[]string{"../" + filepath.Base(dir) + "/app.*"}, "../" + filepath.Base(dir) + "/app.py\n", "", 0},
		{[]string{dir + "/a*_test.py"}, dir + "/a_test.py\n", "", 0},
		{[]string{"*.go"}, "", "no file matches *.go", 0},
		{[]string{"[a"}, "", "malformed", 1},
		{nil, "", "usage", 2},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.globs, " "), func(t *testing.T) {
			got := runTool(t, dir, nil, append([]string{"codebuild-glob-search"}, tt.globs...)...)
			if got.out != tt.out || !strings.Contains(got.err, tt.err) || got.status != tt.status {
				t.Errorf("got %+v, want %q, %q, %d", got, tt.out, tt.err, tt.status)
			}
		})
	}
}

// sums is the digest as standard tools make it.
func sums(t *testing.T, dir string, files ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `sha256sum "$@" | sha256sum | cut -d" " -f1`, "sh"}, files...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestHashFiles(t *testing.T) {
	dir := testTree(t)
	outside := testTree(t)
	for name, text := range map[string]string{"go.sum": "1", "sub/go.sum": "2", "od\\d\n.sum": "3"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		args   []string
		out    string
		err    string
		status int
	}{
		{"one", []string{"go.sum"}, sums(t, dir, "go.sum"), "", 0},
		{"several, whatever the order", []string{"sub/*", "**/go.sum", "go.sum"}, sums(t, dir, "go.sum", "sub/go.sum"), "", 0},
		{"names that need escapes", []string{"od*"}, sums(t, dir, "od\\d\n.sum"), "", 0},
		{"absolute, inside", []string{dir + "/go.sum"}, sums(t, dir, "go.sum"), "", 0},
		{"absolute, outside", []string{outside + "/app.py"}, sums(t, dir, outside+"/app.py"), "", 0},
		{"one of them matches", []string{"none", "go.sum"}, sums(t, dir, "go.sum"), "", 0},
		{"none", []string{"*.lock"}, "", "no file matches *.lock below " + dir, 1},
		{"not in .git", []string{"**/hidden_*"}, "", "no file matches", 1},
		{"malformed", []string{"[a"}, "", "malformed", 1},
		{"no glob", nil, "", "usage", 2},
		{"help", []string{"--help"}, "", "Exit status", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := runTool(t, outside, []string{"CODEBUILD_SRC_DIR=" + dir}, append([]string{"codebuild-hash-files"}, tt.args...)...)
			if got.out != tt.out || !strings.Contains(got.err, tt.err) || got.status != tt.status {
				t.Errorf("got %+v, want %q, %q, %d", got, tt.out, tt.err, tt.status)
			}
		})
	}
	if here := runTool(t, dir, nil, "codebuild-hash-files", "go.sum"); here.out != tests[0].out {
		t.Errorf("outside of a job it printed %q", here.out)
	}
}

func TestTestsRun(t *testing.T) {
	dir := testTree(t)
	const search = "codebuild-glob-search '**/*_test.py'"
	shard := func(index, count int) []string {
		return []string{fmt.Sprintf("RUNNER_SHARD_INDEX=%d", index), fmt.Sprintf("RUNNER_SHARD_COUNT=%d", count)}
	}
	tests := []struct {
		name   string
		env    []string
		args   []string
		out    string // after the list
		err    string
		status int
	}{
		{"alone", nil, []string{"--test-command", "printf '<%s>'", "--files-search", search}, "<a_test.py><b_test.py><deep/er/c_test.py><it's d_test.py>", "", 0},
		{"first of two", shard(0, 2), []string{"--test-command", "echo", "--files-search", search}, "a_test.py b_test.py\n", "", 0},
		{"second of two", shard(1, 2), []string{"--test-command", "echo", "--files-search", search}, "deep/er/c_test.py it's d_test.py\n", "", 0},
		{"more shards than files", shard(5, 6), []string{"--test-command", "echo ran", "--files-search", search}, "nothing to do in this one\n", "", 0},
		{"the variable", shard(0, 2), []string{"--test-command", `printf '[%s]' "$CODEBUILD_CURRENT_SHARD_FILES"`, "--files-search", search}, "[a_test.py\nb_test.py]", "", 0},
		{"the variable in a child", shard(0, 2), []string{"--test-command", `sh -c 'printf "[%s] $#" "$CODEBUILD_CURRENT_''SHARD_FILES"' sh`, "--files-search", search}, "[a_test.py\nb_test.py] 2", "", 0},
		{"the test's exit status", nil, []string{"--test-command", "exit 5;", "--files-search", search}, "", "", 5},
		{"death by signal", nil, []string{"--test-command", "kill -9 $$;", "--files-search", search}, "", "", 137},
		{"stability", nil, []string{"--test-command", "echo", "--files-search", search, "--sharding-strategy", "stability"}, "a_test.py b_test.py deep/er/c_test.py it's d_test.py\n", "", 0},
		{"each file once", nil, []string{"--test-command", "echo", "--files-search", "printf 'b\\na\\r\\n\\nb\\n'"}, "a b\n", "", 0},
		{"the search fails", nil, []string{"--test-command", "echo ran", "--files-search", "echo a; exit 3"}, "", "failed", 3},
		{"the search finds nothing", nil, []string{"--test-command", "echo ran", "--files-search", "true"}, "", "found no test file", 1},
		{"queue, outside of a job", nil, []string{"--test-command", "echo", "--files-search", "echo ./b; echo a", "--sharding-strategy", "queue"}, "a ./b\n", "", 0},
		{"queue without a daemon", shard(0, 2), []string{"--test-command", "a", "--files-search", "echo b", "--sharding-strategy", "timing"}, "", "needs the daemon", 1},
		{"stability instead", append(shard(0, 1), "RUNNER_SHARDING=stability"), []string{"--test-command", "echo", "--files-search", "echo a"}, "sharding strategy stability instead of equal-distribution, as RUNNER_SHARDING or x-runner.sharding says\ncodebuild-tests-run: shard 1 of 1 takes 1 of 1 test files (stability)\n  a\na\n", "", 0},
		{"an unknown one instead", []string{"RUNNER_SHARDING=luck"}, []string{"--test-command", "a", "--files-search", "b"}, "", `is "luck", which is no sharding strategy; use one of equal-distribution, stability, timing, queue`, 2},
		{"another strategy", nil, []string{"--test-command", "a", "--files-search", "b", "--sharding-strategy", "luck"}, "", "there is no sharding strategy", 2},
		{"no search", nil, []string{"--test-command", "a"}, "", "both needed", 2},
		{"a word too many", nil, []string{"--test-command", "a", "--files-search", "b", "c"}, "", "unexpected argument", 2},
		{"no such shard", shard(4, 4), []string{"--test-command", "a", "--files-search", "b"}, "", "no such shard", 2},
		{"help", nil, []string{"--help"}, "", "Exit status", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := runTool(t, dir, tt.env, append([]string{"codebuild-tests-run"}, tt.args...)...)
			if !strings.HasSuffix(got.out, tt.out) || !strings.Contains(got.err, tt.err) || got.status != tt.status {
				t.Errorf("got %+v, want %q, %q, %d", got, tt.out, tt.err, tt.status)
			}
			if tt.err != "" && strings.Contains(got.out, "ran") {
				t.Error("the tests ran all the same")
			}
		})
	}
}

func TestTestsRunSaysWhatItTakes(t *testing.T) {
	got := runTool(t, testTree(t), []string{"RUNNER_SHARD_INDEX=1", "RUNNER_SHARD_COUNT=2"},
		"codebuild-tests-run", "--test-command", "true", "--files-search", "codebuild-glob-search '*_test.py' '**/c_*'")
	want := "codebuild-tests-run: shard 2 of 2 takes 2 of 4 test files (equal-distribution)\n  deep/er/c_test.py\n  it's d_test.py\n"
	if got.out != want {
		t.Errorf("printed %q, want %q", got.out, want)
	}
}

func TestAListLongerThanAnArgument(t *testing.T) {
	got := runTool(t, t.TempDir(), nil, "codebuild-tests-run",
		"--files-search", `i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "a/rather/long/directory/for/a/test/file/number_$i.py"; done`,
		"--test-command", `f() { echo "$# files"; }; f`)
	if got.status != 0 || !strings.HasSuffix(got.out, "\n3000 files\n") {
		t.Errorf("exit status %d, %s, …%s", got.status, got.err, got.out[max(0, len(got.out)-200):])
	}
	got = runTool(t, t.TempDir(), nil, "codebuild-tests-run",
		"--files-search", `i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "a/rather/long/directory/for/a/test/file/number_$i.py"; done`,
		"--test-command", `n=0; for f in $CODEBUILD_CURRENT_SHARD_FILES; do n=$((n+1)); done; echo "counted $n"`)
	if got.status != 0 || !strings.HasSuffix(got.out, "counted 3000\n") {
		t.Errorf("exit status %d, %s, …%s", got.status, got.err, got.out[max(0, len(got.out)-200):])
	}
}

// The agent runs in every sandbox, also in the warm ones that only wait. A binary with all libraries of runner took
// 50 ms to reach main and 32 MB; one of the standard library alone 1 ms and 1.5 MB (SHA-256 in it costs 0.04 ms and
// 150 KB, less than a slow one of our own would cost whoever hashes files). So the list of what it is built
// from is held here: the standard library, our own small packages, and none of the large ones of the former.
func TestTheAgentIsBuiltFromLittle(t *testing.T) {
	for _, pkg := range []string{"github.com/runner-ci/runner/cmd/agent", "github.com/runner-ci/runner/runner/agent", "github.com/runner-ci/runner/runner/wire"} {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			path, standard, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch {
			case standard != "true" && !strings.HasPrefix(path, "github.com/runner-ci/runner/runner/") && path != "github.com/runner-ci/runner/cmd/agent":
				t.Errorf("%s is built from %s, which is not the standard library", pkg, path)
			case slices.Contains([]string{"net", "net/http", "crypto/tls", "log/slog", "text/template"}, path):
				t.Errorf("%s is built from %s, which is large or slow to start", pkg, path)
			}
		}
	}
}
