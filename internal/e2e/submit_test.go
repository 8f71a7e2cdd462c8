package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSubmitSendsTheDirtyTree(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{
		"buildspec.yml": spec("cat tracked; ls", "cat untracked > copy", "git status --short > status; cat status; git log --format=%s -1 || true") +
			"artifacts:\n  files: [copy]\n",
		"tracked": "as committed\n", ".gitignore": "ignored\n",
	})
	for name, text := range map[string]string{"tracked": "edited here\n", "untracked": "new here\n", "ignored": "stays here\n"} {
		if err := repo.Write(name, text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := repo.Git(t.Context(), "remote", "set-url", "origin", url); err != nil {
		t.Fatal(err)
	}
	before, err := repo.Git(t.Context(), "status", "--porcelain")
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, online, project("api", url))
	dir := t.TempDir()
	out, errs, exit := d.runCLI(repo.Dir, "submit", "--artifacts", dir)
	if exit != 0 {
		t.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	if !strings.Contains(out, "edited here\n") || strings.Contains(out, "ignored\n") {
		t.Errorf("the build did not see the working tree:\n%s", out)
	}
	last := strings.TrimSpace(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
	if !strings.HasPrefix(last, "api#1 SUCCEEDED in ") {
		t.Errorf("the last line is %q, want api#1 SUCCEEDED in …", last)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "copy")); err != nil || string(text) != "new here\n" {
		t.Errorf("the artifact holds %q (%v)", text, err)
	}
	if after, _ := repo.Git(t.Context(), "status", "--porcelain"); after != before {
		t.Errorf("submit changed the working tree's status from %q to %q", before, after)
	}

	if err := repo.Write("buildspec.yml", spec("exit 3")); err != nil {
		t.Fatal(err)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "submit"); exit != 1 {
		t.Errorf("a failing submit exited %d, want 1:\n%s%s", exit, out, errs)
	}
	out, errs, exit = d.runCLI(repo.Dir, "show", "--json", "api#2")
	var shown struct{ Status string }
	if err := json.Unmarshal([]byte(out), &shown); err != nil || exit != 0 || shown.Status != "FAILED" {
		t.Errorf("runner show --json exited %d with %s%s (%v), want the failed build", exit, out, errs, err)
	}
	d.terminate()
	if out, errs, exit := d.runCLI(repo.Dir, "submit"); exit != 2 || !strings.Contains(errs, "hint:") {
		t.Errorf("submit without a daemon exited %d, want 2 with a hint:\n%s%s", exit, out, errs)
	}
}

func TestRunNeedsNoDaemon(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, _, _ := git.repo("solo", map[string]string{"buildspec.yml": spec("echo from $CODEBUILD_SRC_DIR", "git --version 2>/dev/null || true", "exit 4")})
	env := append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "RUNNER_URL=", "RUNNER_TOKEN=")
	out, errs, exit := runCLI(t, repo.Dir, env, "run")
	if exit != 1 || !strings.Contains(out+errs, "exit status 4") || !strings.Contains(out, "solo#1 FAILED in ") {
		t.Errorf("runner run exited %d, want 1 and the reason:\n%s%s", exit, out, errs)
	}
}

func TestAShallowCloneBuildsWithoutItsHistory(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{"buildspec.yml": spec("cat file", "git log --format=%s 2>/dev/null || true"), "file": "one\n"})
	for _, text := range []string{"two\n", "three\n"} {
		if err := repo.Write("file", text); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Commit(t.Context(), "file is "+text); err != nil {
			t.Fatal(err)
		}
	}
	shallow := filepath.Join(t.TempDir(), "api")
	if out, err := exec.Command("git", "clone", "--quiet", "--depth", "1", url, shallow).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(shallow, "file"), []byte("four\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "", project("api", url))
	alone := append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "RUNNER_URL=", "RUNNER_TOKEN=")
	for command, build := range map[string]func(...string) (string, string, int){
		"submit": func(args ...string) (string, string, int) { return d.runCLI(shallow, args...) },
		"run":    func(args ...string) (string, string, int) { return runCLI(t, shallow, alone, args...) },
	} {
		out, errs, exit := build(command)
		if exit != 0 || !strings.Contains(out, "four\n") || !strings.Contains(errs, "git fetch --unshallow") {
			t.Errorf("runner %s exited %d, want 0, the files and a warning:\n%s%s", command, exit, out, errs)
		}
	}
	// A daemon that has what is older needs nothing of the kind.
	head, err := repo.Git(t.Context(), "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	d.ended(d.push(url, strings.TrimSpace(head)), "SUCCEEDED")
	if out, errs, exit := d.runCLI(shallow, "submit"); exit != 0 || strings.Contains(errs, "shallow") {
		t.Errorf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
}
