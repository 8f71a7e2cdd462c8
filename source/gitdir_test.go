package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// workspace copies a snapshot with its times, and lays a .git over it, as an overlay mount would.
func workspace(t testing.TB, s *Store, snap *Snapshot, opts GitDirOptions) string {
	t.Helper()
	dir := t.TempDir()
	work, objects := filepath.Join(dir, "work"), filepath.Join(dir, "objects")
	if out, err := exec.Command("cp", "-a", snap.Dir, work).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	opts.ObjectsPath, opts.HostObjectsDir = objects, objects
	if err := s.GitDir(t.Context(), snap, work, opts); err != nil {
		t.Fatal(err)
	}
	return work
}

// forDescribe is a repository with tags, a second branch, and every kind of file.
func forDescribe(t testing.TB) (*repo, Remote) {
	r, _, remote := served(t)
	r.git("tag", "-a", "-m", "one", "v1")
	variety(r)
	r.commit("variety")
	r.git("tag", "plain")
	r.git("branch", "other")
	r.write("last.txt", "last\n")
	r.commit("last")
	return r, remote
}

func TestGitDirIsAWorkingTree(t *testing.T) {
	r, remote := forDescribe(t)
	s := open(t, inProcess)
	snap := snapshot(t, s, remote, SnapshotOptions{})
	work := workspace(t, s, snap, GitDirOptions{Ref: "refs/heads/main", RemoteURL: strings.Replace(remote.URL, "//", "//u:secret@", 1)})
	for args, want := range map[string]string{
		"status --porcelain --ignored":               "",
		"diff HEAD --stat":                           "",
		"describe":                                   r.git("describe"),
		"describe --tags":                            r.git("describe", "--tags"),
		"log --format=%H":                            r.git("log", "--format=%H"),
		"rev-parse HEAD":                             snap.Commit,
		"symbolic-ref HEAD":                          "refs/heads/main",
		"tag --list":                                 r.git("tag", "--list"),
		"branch -r":                                  "  origin/HEAD -> origin/main\n  origin/main\n  origin/other",
		"status --branch --short":                    "## main...origin/main",
		"config remote.origin.url":                   remote.URL,
		"rev-parse --abbrev-ref main@{upstream}":     "origin/main",
		"ls-files --eol -- a.crlf":                   gitClone(t, r, remote, "ls-files", "--eol", "--", "a.crlf"),
		"fsck --no-dangling --connectivity-only":     "",
		"stash list":                                 "",
		"log -1 --format=%s -- many/d0/e0/file0.txt": "variety",
	} {
		if got := gitIn(t, work, 0, "", strings.Fields(args)...); got != want {
			t.Errorf("git %s: got %q, want %q", args, got, want)
		}
	}
	t.Run("without reading files", func(t *testing.T) {
		// Same size, same time, other bytes: if git read the file it would see the change.
		path := filepath.Join(work, "large.bin")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), int(info.Size())), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if got := gitIn(t, work, 0, "", "status", "--porcelain"); got != "" {
			t.Errorf("git read a file that it need not: %q", got)
		}
	})
	t.Run("changes are seen", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(work, "last.txt"), []byte("changed\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := gitIn(t, work, 0, "", "status", "--porcelain"); got != " M last.txt" {
			t.Errorf("git status says %q", got)
		}
		gitIn(t, work, 0, "", "commit", "-q", "-a", "-m", "in the job")
		if got := gitIn(t, work, 0, "", "log", "-2", "--format=%s"); got != "in the job\nlast" {
			t.Errorf("git log says %q", got)
		}
	})
}

func gitClone(t testing.TB, r *repo, remote Remote, args ...string) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, r.dir, 0, "", "clone", "-q", remote.URL, clone)
	return gitIn(t, clone, 0, "", args...)
}

func TestGitDirWithDepth(t *testing.T) {
	r, _, remote := served(t)
	r.commit("third")
	r.git("checkout", "-q", "-b", "side", "HEAD~2")
	r.write("side.txt", "side\n")
	r.commit("side")
	r.git("checkout", "-q", "main")
	r.git("merge", "-q", "--no-ff", "-m", "merge", "side")
	s := open(t, inProcess)
	snap := snapshot(t, s, remote, SnapshotOptions{})
	for n, depth := range map[int]string{1: "1", 2: "2", 50: "50"} {
		work := workspace(t, s, snap, GitDirOptions{Ref: "refs/heads/main", Depth: n, RemoteURL: remote.URL})
		clone := filepath.Join(t.TempDir(), "clone")
		gitIn(t, r.dir, 0, "", "clone", "-q", "--depth", depth, remote.URL, clone)
		for _, args := range [][]string{{"log", "--format=%H"}, {"status", "--porcelain"}, {"branch", "-r"}} {
			got, want := gitIn(t, work, 0, "", args...), gitIn(t, clone, 0, "", args...)
			if got != want {
				t.Errorf("depth %s, git %s: got %q, want %q", depth, strings.Join(args, " "), got, want)
			}
		}
	}
}

// TestAStrangersJobReadsNoSubmits: what people sent from their working trees lies in the same mirror.
func TestAStrangersJobReadsNoSubmits(t *testing.T) {
	r, remote := forDescribe(t)
	fork := r.git("commit-tree", "-p", "HEAD", "-m", "of a fork", "HEAD^{tree}")
	r.git("update-ref", "refs/pull/7/head", fork)
	s := open(t)
	for _, want := range []Want{{}, {Ref: "refs/pull/7/head", Commit: fork}} {
		if _, err := s.Fetch(t.Context(), remote, want); err != nil {
			t.Fatal(err)
		}
	}
	r.write("dirty.env", "SECRET=1\n")
	tree, _, _ := submit(t, s, r, remote.URL, "refs/runner/submit/2026-01-01/x")
	blob := r.git("rev-parse", tree.Commit+":dirty.env")
	snap, err := s.Snapshot(t.Context(), remote, fork, SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snap.Release)
	work := workspace(t, s, snap, GitDirOptions{Ref: "refs/pull/7/head", RemoteURL: remote.URL, Stranger: true})
	if out := gitIn(t, work, 0, "", "status", "--porcelain"); out != "" {
		t.Errorf("git status says %q", out)
	}
	gitIn(t, work, 0, "", "fsck", "--full", "--strict")
	if got, want := gitIn(t, work, 0, "", "rev-list", "--count", "--all"), r.git("rev-list", "--count", fork, "main", "other"); got != want {
		t.Errorf("its history has %s commits, want %s", got, want)
	}
	objects := gitIn(t, work, 0, "", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
	if strings.Contains(objects, blob) || strings.Contains(objects, tree.Commit) {
		t.Error("it can read what somebody submitted")
	}
	trusted := workspace(t, s, snap, GitDirOptions{Ref: "refs/pull/7/head", RemoteURL: remote.URL})
	if objects := gitIn(t, trusted, 0, "", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"); !strings.Contains(objects, blob) {
		t.Error("the submit is not in the mirror, so that this test shows nothing")
	}
}

func TestGitDirDetached(t *testing.T) {
	r, remote := forDescribe(t)
	r.git("update-ref", "refs/pull/7/head", "other")
	s := open(t, inProcess)
	for ref, want := range map[string]string{"refs/tags/v1": "v1", "refs/tags/plain": "plain", "refs/pull/7/head": "plain"} {
		got, err := s.Fetch(t.Context(), remote, Want{Ref: ref})
		if err != nil {
			t.Fatal(err)
		}
		snap, err := s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Release()
		work := workspace(t, s, snap, GitDirOptions{Ref: ref, RemoteURL: remote.URL})
		if out := gitIn(t, work, 0, "", "describe", "--tags"); out != want {
			t.Errorf("%s: describe says %q, want %q", ref, out, want)
		}
		if out := gitIn(t, work, 0, "", "status", "--porcelain", "--branch"); out != "## HEAD (no branch)" {
			t.Errorf("%s: status says %q", ref, out)
		}
	}
}

// TestARunningJobSurvivesMaintenance repacks and prunes the mirror under a job's .git.
func TestARunningJobSurvivesMaintenance(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess, func(o *Options) { o.MaxPacks = 3 })
	var work string
	for i := range 8 {
		r.write("f", strings.Repeat("line\n", i))
		r.commit("next")
		snap := snapshot(t, s, remote, SnapshotOptions{})
		if i == 5 {
			work = workspace(t, s, snap, GitDirOptions{Ref: "refs/heads/main", RemoteURL: remote.URL})
		}
	}
	count := func() int {
		packs, _ := filepath.Glob(filepath.Join(s.opts.Dir, "mirrors", "*", "objects", "pack", "*.pack"))
		return len(packs)
	}
	before := count()
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := count(); after > 3 || after >= before {
		t.Errorf("%d packs became %d, want at most 3", before, after)
	}
	fsck(t, s, remote.URL)
	if out := gitIn(t, work, 0, "", "fsck", "--full", "--no-dangling"); out != "" {
		t.Errorf("fsck in the job says %q", out)
	}
	gitIn(t, work, 0, "", "log", "--stat")
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Error(err)
	}
}

// TestGitDirThroughAnOverlay mounts what the Docker executor mounts.
func TestGitDirThroughAnOverlay(t *testing.T) {
	_, remote := forDescribe(t)
	s := open(t, inProcess)
	snap := snapshot(t, s, remote, SnapshotOptions{})
	dir := t.TempDir()
	for _, d := range []string{"upper", "work", "merged", "objects"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := s.GitDir(t.Context(), snap, filepath.Join(dir, "upper"), GitDirOptions{
		Ref: "refs/heads/main", ObjectsPath: filepath.Join(dir, "objects"), HostObjectsDir: filepath.Join(dir, "objects"),
	})
	if err != nil {
		t.Fatal(err)
	}
	merged := filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", snap.Dir, dir, dir)
	out, err := exec.Command("mount", "-t", "overlay", "overlay", "-o", options, merged).CombinedOutput()
	if err != nil {
		t.Skipf("an overlay cannot be mounted here: %s", out)
	}
	defer func() {
		if out, err := exec.Command("umount", merged).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %s", out)
		}
	}()
	for args, want := range map[string]string{"status --porcelain": "", "describe": "v1-2-g" + snap.Commit[:7], "diff HEAD": ""} {
		if got := gitIn(t, merged, 0, "", strings.Fields(args)...); got != want {
			t.Errorf("git %s: got %q, want %q", args, got, want)
		}
	}
}
