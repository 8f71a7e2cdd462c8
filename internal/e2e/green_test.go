package e2e

import (
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/githost"
)

// greenSpec is a batch of two jobs that leave all that a job can leave.
const greenSpec = `version: 0.2
batch:
  build-graph:
    - {identifier: lint}
    - {identifier: unit, depend-on: [lint]}
env:
  secrets-manager: {TOKEN: npm}
  exported-variables: [CHECKED]
phases:
  build:
    commands:
      - CHECKED=yes
      - cat tracked; echo "with $(printf %s "$TOKEN" | wc -c) characters"
      - echo '<testsuite name="s" tests="1"><testcase classname="c" name="t"/></testsuite>' > report.xml
reports:
  units: {files: [report.xml]}
artifacts: {files: [tracked]}
`

// greenStory is a daemon with a project whose submits count, and a repository whose tree has been submitted.
type greenStory struct {
	t    *testing.T
	d    *daemon
	repo *githost.Repo
	url  string
}

func (g *greenStory) settings(image string, more ...string) string {
	return project("api", g.url, append([]string{"green-before-push: on", "green-from: [admin]", "image: " + image}, more...)...)
}

// push commits the working tree, pushes that, and waits for the build.
func (g *greenStory) push() client.Build {
	g.t.Helper()
	commit, err := g.repo.Commit(g.t.Context(), "as submitted")
	if err != nil {
		g.t.Fatal(err)
	}
	return g.d.ended(g.d.push(g.url, commit), "SUCCEEDED")
}

func (g *greenStory) submit() string {
	g.t.Helper()
	out, errs, exit := g.d.runCLI(g.repo.Dir, "submit")
	if exit != 0 {
		g.t.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	return out
}

func (g *greenStory) secret(value string) {
	g.t.Helper()
	if _, err := g.d.PutSecret(g.t.Context(), client.SecretChange{Name: "npm", Project: "api", Value: &value, Refs: &[]string{"**"}}); err != nil {
		g.t.Fatal(err)
	}
}

// TestAPushOfASubmittedTreeIsGreenAtOnce submits a working tree, commits and pushes it: the push takes the results, and no
// container is made. Then one thing after the other changes on which a result depends, and the jobs run.
func TestAPushOfASubmittedTreeIsGreenAtOnce(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	g := &greenStory{t: t}
	g.repo, g.url, _ = git.repo("api", map[string]string{"buildspec.yml": greenSpec, "tracked": "as committed\n"})
	if err := g.repo.Write("tracked", "as submitted\n"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"remote", "set-url", "origin", g.url}, {"remote", "set-url", "--push", "origin", g.repo.Bare}} {
		if _, err := g.repo.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	name := "runner-test-green:" + strings.ToLower(rand.Text())
	tag := func(what string) {
		t.Helper()
		if out, err := exec.Command("docker", "tag", what, name).CombinedOutput(); err != nil {
			t.Fatalf("docker tag: %v\n%s", err, out)
		}
	}
	tag(image)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", name).Run() })
	g.d = newDaemon(t, "secrets: {key-file: "+filepath.Join(t.TempDir(), "key")+"}\n", g.settings(name))
	g.secret("one")
	if out := g.submit(); !strings.Contains(out, "a push of this tree will be green at once, until ") {
		t.Errorf("submit does not say what a push will come to:\n%s", out)
	}
	from := time.Now()
	b := g.push()
	until := time.Now()
	made, err := exec.Command("docker", "events", "--since", from.Format(time.RFC3339Nano), "--until", until.Format(time.RFC3339Nano),
		"--filter", "type=container", "--filter", "event=create", "--filter", "label=runner.instance="+g.d.instance).Output()
	if err != nil || len(made) > 0 {
		t.Errorf("the push made containers (%v):\n%s", err, made)
	}
	g.carried(b)
	g.changes(name, tag)
	g.d.kill()
	out, errs, exit := g.d.runCLI(g.d.dir, "check", "--config", filepath.Join(g.d.dir, "runner.yml"))
	if exit != 0 {
		t.Errorf("runner check exited %d:\n%s%s", exit, out, errs)
	}
	g.d.start()
}

// carried looks at all that a push has of the build whose results it took.
func (g *greenStory) carried(b client.Build) {
	g.t.Helper()
	for _, j := range b.Jobs {
		if j.TakenFrom != "api#1" || j.Proof == nil || j.Proof.By != "admin" || j.Proof.Kind != "submit" {
			g.t.Errorf("%s was taken from %q, by %+v", j.Name, j.TakenFrom, j.Proof)
		}
		if log := g.d.jobLog(b.ID, j.ID); !strings.Contains(log, "as submitted\n") || !strings.Contains(log, "with 3 characters") {
			g.t.Errorf("its log says %q", log)
		}
		if len(j.Exported) != 1 || j.Exported[0].Value != "yes" {
			g.t.Errorf("it exported %+v", j.Exported)
		}
	}
	sets, err := g.d.Artifacts(g.t.Context(), b.ID)
	if err != nil || len(sets) != 2 {
		g.t.Errorf("it has the artifacts %+v (%v), want those of two jobs", sets, err)
	}
	rc, err := g.d.Archive(g.t.Context(), b.ID, "", "zip")
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := io.ReadAll(rc)
	if rc.Close(); err != nil || len(text) == 0 {
		g.t.Errorf("the archive has %d bytes (%v)", len(text), err)
	}
	out, _, exit := g.d.runCLI(g.d.dir, "show", b.ID)
	if want := "lint, unit taken from api#1, submitted by admin just now"; exit != 0 || !strings.Contains(out, want) {
		g.t.Errorf("runner show lacks %q:\n%s", want, out)
	}
	if b, err = g.d.Settled(g.t.Context(), b); err != nil || b.Tests == nil || b.Tests.Passed != 1 {
		g.t.Errorf("its tests are %+v (%v), want the one", b.Tests, err)
	}
}

// changes has pushes of the same tree run, each for another cause.
func (g *greenStory) changes(image string, tag func(string)) {
	g.t.Helper()
	configure := func(extra string, more ...string) {
		g.d.extra = extra
		g.d.configure(g.settings(image, more...))
		g.d.hangUp("configuration reloaded")
	}
	was := g.d.extra
	all := os.Getenv("RUNNER_SLOW") != "" // the scheduler's own tests have each of them, and more
	for n, c := range []struct {
		name string
		do   func()
	}{
		{"a secret has another version", func() { g.secret("two") }},
		{"the image's name means another", func() { tag("runner-test/debian:latest") }},
		{"a setting of the project", func() { configure(was, "depth: 1") }},
		{"a limit of the daemon", func() { configure(was+"limits: {pids: 777}\n", "depth: 1") }},
	} {
		if n > 0 && !all {
			break
		}
		c.do()
		for _, took := range []bool{false, true} {
			for _, j := range g.push().Jobs {
				if (j.TakenFrom != "") != took {
					g.t.Errorf("%s: %s was taken from %q, want that it was taken: %t", c.name, j.Name, j.TakenFrom, took)
				}
			}
		}
	}
	again, err := g.d.Retry(g.t.Context(), "api#2", false)
	if err == nil {
		again, err = g.d.WaitTrigger(g.t.Context(), again.ID)
	}
	if err != nil || len(again.Builds) != 1 {
		g.t.Fatalf("the retry made %v (%v)", again.Builds, err)
	}
	for _, j := range g.d.ended(again.Builds[0], "SUCCEEDED").Jobs {
		if j.TakenFrom != "" {
			g.t.Errorf("the retry took %s from %s", j.Name, j.TakenFrom)
		}
	}
}
