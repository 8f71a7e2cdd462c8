package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatInitWritesBuilds takes the buildspec away from each example, lets runner init write one, and builds with it:
// only the image is another, one that has at hand what the real one would fetch.
func TestWhatInitWritesBuilds(t *testing.T) {
	t.Parallel()
	for name, example := range map[string]struct {
		image string
		tools string // commands of a Dockerfile's RUN that add what the test's image lacks
		says  string
	}{
		"go-service": {"golang:1.26", "true", "ok"},
		"python-lib": {"python:3", `ln -s /usr/bin/python3 /usr/local/bin/python && ` + program("pip", `echo "pip $*: it is there"`), "passed"},
		"node-app":   {"node:18", program("npm", `echo "npm $*: there is nothing to fetch"`), "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "go-service" && os.Getenv("RUNNER_SLOW") == "" {
				t.Skip("compiles the whole of it in a sandbox without a cache: set RUNNER_SLOW=1")
			}
			images(t, example.image)
			image := derived(t, "runner-test/"+example.image, example.tools)
			git := newGitServer(t)
			repo, _, _ := git.repo(name, nil)
			if err := os.CopyFS(repo.Dir, os.DirFS(filepath.Join("../../examples", name))); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(repo.Dir, "buildspec.yml")); err != nil {
				t.Fatal(err)
			}
			env := append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "RUNNER_URL=", "RUNNER_TOKEN=")
			if out, errs, exit := runCLI(t, repo.Dir, env, "init"); exit != 0 || !strings.Contains(out, "written  buildspec.yml") {
				t.Fatalf("runner init exited %d:\n%s%s", exit, out, errs)
			}
			out, errs, exit := runCLI(t, repo.Dir, env, "run", "--image", image, "--slots", "2")
			if exit != 0 || !strings.Contains(out, example.says) {
				t.Errorf("runner run exited %d, want 0 and %q:\n%s%s", exit, example.says, out, errs)
			}
		})
	}
}

// program is a shell command that makes a program of one line.
func program(name, line string) string {
	return `printf '#!/bin/sh\n%s\n' '` + line + `' >/usr/local/bin/` + name + ` && chmod +x /usr/local/bin/` + name
}

// derived makes an image of another one, for the length of the test.
func derived(t *testing.T, from, run string) string {
	t.Helper()
	name := "runner-test/init-" + strings.NewReplacer("/", "-", ":", "-").Replace(from) + ":test"
	build := exec.Command("docker", "build", "--quiet", "--network", "none", "--tag", name, "-")
	build.Stdin = strings.NewReader("FROM " + from + "\nRUN " + run + "\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("making %s: %v\n%s", name, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", name).Run() })
	return name
}

// TestWhatInitWritesForADockerfileBuilds builds an image in an engine of the job's own.
func TestWhatInitWritesForADockerfileBuilds(t *testing.T) {
	t.Parallel()
	images(t, "dind:latest")
	git := newGitServer(t)
	repo, _, _ := git.repo("image", map[string]string{"Dockerfile": "FROM scratch\nCOPY file /\n", "file": "content\n"})
	env := append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "RUNNER_URL=", "RUNNER_TOKEN=")
	if out, errs, exit := runCLI(t, repo.Dir, env, "init"); exit != 0 || !strings.Contains(out, "runner run --privileged") {
		t.Fatalf("runner init exited %d, want 0 and how to go on:\n%s%s", exit, out, errs)
	}
	out, errs, exit := runCLI(t, repo.Dir, env, "run", "--privileged", "--image", "runner-test/dind:latest")
	if exit != 0 || !strings.Contains(out, "Successfully tagged app:") {
		t.Errorf("runner run exited %d, want 0 and the image:\n%s%s", exit, out, errs)
	}
	if out, _, exit := runCLI(t, repo.Dir, env, "run", "--image", "runner-test/dind:latest"); exit == 0 || !strings.Contains(out, "privileged") {
		t.Errorf("without permission runner run exited %d, want a failure that says why:\n%s", exit, out)
	}
}
