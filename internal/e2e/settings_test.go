package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/enginetest"
)

func TestSIGHUPReloadsAndAMistakeChangesNothing(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("echo built")})
	d := newDaemon(t, "")
	if status, _ := d.send(pushOf(url, "refs/heads/main", commit)); status != http.StatusUnauthorized {
		t.Errorf("a repository that no project names was answered %d, want 401", status)
	}
	d.configure(project("api", url))
	d.hangUp("configuration reloaded")
	d.ended(d.push(url, commit), "SUCCEEDED")

	d.extra = "slotz: 3\n"
	d.configure(project("api", url))
	d.hangUp("did you mean")
	d.ended(d.push(url, commit), "SUCCEEDED")

	// What the file owns cannot be changed by the API, and a name cannot belong to both.
	if err := d.PutProject(t.Context(), client.Project{Name: "api", URL: url}); err == nil {
		t.Error("the API changed a project of the configuration file")
	}
	if err := d.PutProject(t.Context(), client.Project{Name: "web", URL: url}); err != nil {
		t.Fatal(err)
	}
	d.extra = ""
	d.configure(project("api", url), project("web", url))
	d.hangUp("also made by the API")
}

// hangUp sends SIGHUP and waits until the daemon's log says what became of it.
func (d *daemon) hangUp(says string) {
	d.t.Helper()
	before := strings.Count(d.log.String(), says)
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for strings.Count(d.log.String(), says) == before {
		if time.Now().After(deadline) {
			d.t.Fatalf("after SIGHUP the log does not say %q:\n%s", says, d.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestTheHostItselfIsAnEngineWhenAskedFor(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("host", map[string]string{"buildspec.yml": strings.Replace(
		spec("echo $(uname -n) $HOME", "git describe --always && git status --porcelain", "echo kept > artifact"), "env:\n  image: "+image+"\n", "", 1) +
		"artifacts:\n  files: [artifact]\n"})
	d := newDaemon(t, "engines:\n  - {id: host, type: process}\n", project("host", url))
	id := d.push(url, commit)
	b := d.ended(id, "SUCCEEDED")
	host, _ := os.Hostname()
	if log := d.logs(b); !strings.Contains(log, host+" "+filepath.Join(d.data(), "sandboxes")) || !strings.Contains(log, commit[:7]+"\n") {
		t.Errorf("the log shows neither the host nor the commit:\n%s", log)
	}
	if sets, err := d.Artifacts(t.Context(), id); err != nil || len(sets) != 1 {
		t.Errorf("artifacts: %v %v", sets, err)
	}
	assertNothingLeft(t, d)
}

func TestOnTheHostAKilledDaemonIsANoOpToo(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	files := counting(150, 7)
	files["buildspec.yml"] = strings.Replace(files["buildspec.yml"], "env:\n  image: "+image+"\n", "", 1)
	_, url, commit := git.repo("host", files)
	d := newDaemon(t, "engines:\n  - {id: host, type: process}\n", project("host", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	for range 2 {
		time.Sleep(500 * time.Millisecond)
		d.kill()
		d.start()
	}
	b := d.ended(id, "FAILED")
	if b.Jobs[0].Exit != 7 {
		t.Errorf("the exit status is %d, want 7", b.Jobs[0].Exit)
	}
	assertWhole(t, d.logs(b), 150)
	assertNothingLeft(t, d)
	d.check()
}

func TestJobImagesComeFromAPrivateRegistry(t *testing.T) {
	t.Parallel()
	addr := enginetest.Registry(t, "ci", "open sesame")
	ref := addr + "/team/private:v1"
	config := t.TempDir() // docker login must not touch the user's own file
	for _, args := range [][]string{
		{"--config", config, "login", "-u", "ci", "-p", "open sesame", addr},
		{"tag", image, ref},
		{"--config", config, "push", "-q", ref},
		{"rmi", ref},
	} {
		if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
			t.Fatalf("docker %s: %v\n%s", args[0], err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", ref).Run() })
	git := newGitServer(t)
	_, url, commit := git.repo("private", map[string]string{"buildspec.yml": strings.Replace(spec("echo inside $CODEBUILD_BUILD_IMAGE"), image, ref, 1)})
	stranger := newDaemon(t, "", project("private", url))
	if b := stranger.ended(stranger.push(url, commit), "FAILED"); b.Reason != "image" {
		t.Errorf("without credentials the reason is %s (%s), want image", b.Reason, b.Message)
	}
	known := &daemon{t: t, dir: t.TempDir(), address: freeAddress(t), log: new(syncBuffer), env: []string{"REGISTRY_PASSWORD=open sesame"}}
	known.extra = "registries:\n  - {server: '" + addr + "', username: ci, password: env:REGISTRY_PASSWORD}\n"
	known.configure(project("private", url, "pull: always"))
	t.Cleanup(func() { known.terminate(); known.removeSandboxes() })
	known.start()
	if b := known.ended(known.push(url, commit), "SUCCEEDED"); !strings.Contains(known.logs(b), "inside "+ref) {
		t.Errorf("the log does not name the image:\n%s", known.logs(b))
	}
	// A fork's build runs in the image of the project's settings, and is not lent the credentials for any other.
	for settings, want := range map[string]string{"pull: always": "FAILED", "pull: always\n    image: " + ref: "SUCCEEDED"} {
		known.terminate()
		known.configure(project("private", url, settings, "approval: none"))
		known.start()
		fork := pullRequest(url, "https://example.com/stranger/private.git", commit)
		fork.id = "fork-" + want
		_, answer := known.send(fork)
		tr, err := known.WaitTrigger(t.Context(), answer["trigger"].(string))
		if err != nil || len(tr.Builds) != 1 {
			t.Fatalf("the fork's pull request made %v (%s %s, %v), want one build", tr.Builds, tr.Outcome, tr.Reason, err)
		}
		if b := known.ended(tr.Builds[0], want); want == "FAILED" && !strings.Contains(b.Message, "is lent no credentials") {
			t.Errorf("with %s it says %s", settings, b.Message)
		}
	}
}
