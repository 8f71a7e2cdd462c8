package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubmitOfAPart asks for other shards than the file has, for some tests of a fan-out, for one job of a graph, and for the
// files that a build changed.
func TestSubmitOfAPart(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	head := "version: 0.2\nenv: {image: " + image + "}\n"
	repo, url, _ := git.repo("parts", map[string]string{
		"buildspec.yml": head + "batch: {build-fanout: {parallelism: 5}}\nphases:\n  build:\n    commands:\n" +
			"      - codebuild-tests-run --test-command 'printf \"ran %s\\n\"' --files-search 'ls tests/*'\n",
		"tests/a1": "", "tests/a2": "", "tests/b1": "",
		"graph.yml": head + "batch:\n  build-graph:\n    - {identifier: lint}\n    - {identifier: compile}\n    - {identifier: unit, depend-on: [compile]}\n" +
			"phases: {build: {commands: ['true']}}\n",
		"format.yml": head + "x-runner: {patch: ['*.txt']}\nphases:\n  build:\n    commands:\n" +
			"      - echo formatted > dirty.txt; rm gone.txt; echo made > made.txt; echo more > other.md\n",
		"dirty.txt": "committed\n", "gone.txt": "gone\n",
	})
	if _, err := repo.Git(t.Context(), "remote", "set-url", "origin", url); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "", project("parts", url))
	submit := func(want int, args ...string) string {
		t.Helper()
		out, errs, exit := d.runCLI(repo.Dir, append([]string{"submit"}, args...)...)
		if exit != want {
			t.Fatalf("runner submit %v exited %d, want %d:\n%s%s", args, exit, want, out, errs)
		}
		return out + errs
	}

	submit(0, "--shards", "2", "--only", "a*")
	if b := d.build("parts#1"); len(b.Jobs) != 2 {
		t.Errorf("--shards 2 made %d jobs", len(b.Jobs))
	}
	logs := d.jobLog("parts#1", "BuildFanoutShard1") + d.jobLog("parts#1", "BuildFanoutShard2")
	if !strings.Contains(logs, "ran tests/a1") || !strings.Contains(logs, "ran tests/a2") || strings.Contains(logs, "b1") {
		t.Errorf("--only a* ran other tests than those:\n%s", logs)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "retry", "parts#1", "--follow"); exit != 0 || len(d.build("parts#2").Jobs) != 2 || strings.Contains(d.jobLog("parts#2", "BuildFanoutShard1"), "b1") {
		t.Errorf("a retry (%d) is of another part:\n%s%s", exit, out, errs)
	}
	submit(0, "--buildspec", "graph.yml", "--only", "un*")
	if b := d.build("parts#3"); len(b.Jobs) != 2 || b.Jobs[0].ID != "compile" || b.Jobs[1].ID != "unit" {
		t.Errorf("--only un* ran %+v", b.Jobs)
	}
	if said := submit(1, "--buildspec", "graph.yml", "--only", "deploy"); !strings.Contains(said, "it has lint, compile, unit") {
		t.Errorf("a job that is not there is answered by:\n%s", said)
	}
	if said := submit(1, "--buildspec", "graph.yml", "--shards", "3"); !strings.Contains(said, "no build-fanout") {
		t.Errorf("shards of a graph are answered by:\n%s", said)
	}

	if err := repo.Write("dirty.txt", "dirty\n"); err != nil {
		t.Fatal(err)
	}
	diff := filepath.Join(t.TempDir(), "diff")
	if said := submit(0, "--buildspec", "format.yml", "--patch", diff, "--apply"); !strings.Contains(said, "3 files changed") {
		t.Errorf("the patch is told as:\n%s", said)
	}
	status, err := repo.Git(t.Context(), "status", "--porcelain", "-uall")
	text, rerr := os.ReadFile(filepath.Join(repo.Dir, "dirty.txt"))
	if err != nil || rerr != nil || status != "M dirty.txt\n D gone.txt\n?? made.txt" && status != " M dirty.txt\n D gone.txt\n?? made.txt" || string(text) != "formatted\n" {
		t.Errorf("the working tree is\n%s\n(%v), dirty.txt is %q (%v)", status, err, text, rerr)
	}
	if text, err := os.ReadFile(diff); err != nil || !strings.Contains(string(text), "-dirty\n+formatted\n") {
		t.Errorf("the diff is %s (%v)", text, err)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "artifacts", "parts#6", "--patch", "-"); exit != 0 || !strings.Contains(out, "+formatted\n") {
		t.Errorf("runner artifacts --patch exited %d:\n%s%s", exit, out, errs)
	}
	if said := submit(0, "--buildspec", "format.yml", "--apply"); strings.Contains(said, "applied") {
		t.Errorf("a build that changes nothing is told as:\n%s", said)
	}
}
