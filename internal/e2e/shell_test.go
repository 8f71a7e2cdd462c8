package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/runner-ci/runner/client"
)

// keptSpec is of a job that fails once it finds the caches that it left when it succeeded. It is given a secret.
const keptSpec = `version: 0.2
env:
  image: ` + image + `
  variables: {COLOUR: blue}
  secrets-manager: {TOKEN: npm}
phases:
  build:
    commands:
      - test -n "$TOKEN"; MINE=yes; export MINE
      - echo made > made.txt; echo changed > /etc/changed
      - if [ -f store/a ]; then exit 3; fi
      - mkdir -p store /root/stash; echo inside > store/a; echo outside > /root/stash/b
cache: {paths: ['store/**/*', '/root/stash/**/*']}
`

// keptStory is a daemon with the sandbox of a failed job.
type keptStory struct {
	*daemon
	dir   string
	build string
	box   string // the container's id
}

func newKeptStory(t *testing.T) *keptStory {
	git := newGitServer(t)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": keptSpec})
	key := "secrets: {key-file: " + filepath.Join(t.TempDir(), "key") + "}\nkeep-failed: 1h\n"
	s := &keptStory{daemon: newDaemon(t, key, project("api", url), project("web", "https://example.invalid/web.git")), dir: repo.Dir}
	value := "a value that nobody sees"
	if _, err := s.PutSecret(t.Context(), client.SecretChange{Name: "npm", Project: "api", Value: &value}); err != nil {
		t.Fatal(err)
	}
	s.ended(s.push(url, commit), "SUCCEEDED")
	s.build = s.ended(s.push(url, commit), "FAILED").ID
	s.box = s.awaitLeft(1)[0]
	return s
}

// awaitLeft waits until so many containers are there, running or not.
func (d *daemon) awaitLeft(n int) []string {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if left := d.containers("-a"); len(left) == n {
			return left
		} else if time.Now().After(deadline) {
			d.t.Fatalf("the containers %v are there, %d should be; the daemon said:\n%s", left, n, d.log)
		}
	}
}

// in runs a command in what is kept.
func (s *keptStory) in(command string) (stdout, stderr string, exit int) {
	s.t.Helper()
	return s.runCLI(s.dir, "shell", s.build, "--at", "failed", "--", "sh", "-c", command)
}

func (s *keptStory) awaitClosed() {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); slices.Contains(s.containers(), s.box); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the kept container still runs although nobody is in it; the daemon said:\n%s", s.log)
		}
	}
}

// TestAShellInWhatAFailedJobLeft looks into the sandbox of a failed job: with a command, on a terminal, as others who may not, under
// the next daemon, and when it was removed behind everybody's back.
func TestAShellInWhatAFailedJobLeft(t *testing.T) {
	t.Parallel()
	s := newKeptStory(t)
	shown, _, _ := s.runCLI(s.dir, "show", s.build)
	if !strings.Contains(shown, "runner shell "+s.build+" --at failed") {
		t.Errorf("runner show does not say how to look into the job:\n%s", shown)
	}
	out, errs, exit := s.in("cat made.txt /etc/changed store/a /root/stash/b; git log --oneline >/dev/null 2>&1; echo $COLOUR $CODEBUILD_BUILD_SUCCEEDING; pwd; which codebuild-hash-files; echo trouble >&2; env | grep -c -e TOKEN -e MINE; exit 7")
	want := "made\nchanged\ninside\noutside\nblue 0\n/codebuild/output/src\n/codebuild/user/bin/codebuild-hash-files\n0\n"
	if out != want || errs != "trouble\n" || exit != 7 {
		t.Errorf("the command printed %q and %q, exit status %d; want %q, trouble, 7", out, errs, exit, want)
	}
	s.awaitClosed()
	s.onATerminal()
	s.awaitClosed()
	s.othersMayNot()
	s.underTheNextDaemon()
	s.whatEndsIt()
}

// onATerminal opens a shell on a terminal of an odd size, and ends it by its end of input.
func (s *keptStory) onATerminal() {
	t := s.t
	token, _ := os.ReadFile(filepath.Join(s.data(), "token"))
	cmd := exec.Command(binary, "shell", s.build, "--at", "failed")
	cmd.Env = append(os.Environ(), "RUNNER_URL=http://"+s.address, "RUNNER_TOKEN="+strings.TrimSpace(string(token)), "TERM=xterm", "PS1=")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 83, Rows: 29})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	said := new(syncBuffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var block [4096]byte
		for {
			n, err := tty.Read(block[:])
			_, _ = said.Write(block[:n])
			if err != nil {
				return
			}
		}
	}()
	await := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(said.String(), what); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the terminal does not show %q:\n%s", what, said)
			}
		}
	}
	await("Not here: the secrets TOKEN")
	_, _ = tty.WriteString("stty size; echo $TERM-$((20+3))\n")
	await("29 83")
	await("xterm-23")
	if err := pty.Setsize(tty, &pty.Winsize{Cols: 71, Rows: 31}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(said.String(), "31 71"); time.Sleep(50 * time.Millisecond) {
		if _, _ = tty.WriteString("stty size\n"); time.Now().After(deadline) {
			t.Fatalf("the shell does not hear of the terminal's new size:\n%s", said)
		}
	}
	_, _ = tty.WriteString("sh -c 'trap \"echo got-\\$((2+2)); exit\" INT; echo begun-$((1+1)); while :; do sleep 0.1; done'\n")
	await("begun-2")
	_, _ = tty.WriteString("\x03") // ends the command, and not the shell
	await("got-4")
	_, _ = tty.WriteString("exit 5\n")
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("the shell ended with status %d (%v), want 5:\n%s", cmd.ProcessState.ExitCode(), err, said)
	}
	tty.Close()
	<-done
}

// othersMayNot tries it with tokens that are not enough, and from a page of another site.
func (s *keptStory) othersMayNot() {
	t := s.t
	for _, tt := range []struct {
		request client.TokenRequest
		status  int
	}{
		{client.TokenRequest{Name: "reader", Scope: "read", Projects: []string{"api"}}, http.StatusForbidden},
		{client.TokenRequest{Name: "submitter", Scope: "submit", Projects: []string{"api"}}, http.StatusForbidden}, // the build is trusted
		{client.TokenRequest{Name: "stranger", Scope: "admin", Projects: []string{"web"}}, http.StatusNotFound},
	} {
		made, err := s.CreateToken(t.Context(), tt.request)
		if err != nil {
			t.Fatal(err)
		}
		var refused *client.Error
		sh, err := client.New("http://"+s.address, made.Secret).OpenShell(t.Context(), s.build, client.ShellOptions{At: "failed", Command: []string{"true"}})
		if !errors.As(err, &refused) || refused.Status != tt.status {
			t.Errorf("with the token of %s a shell was answered %v, want status %d", tt.request.Name, err, tt.status)
		}
		if err == nil {
			sh.Close()
		}
	}
	req, _ := http.NewRequest(http.MethodGet, "http://"+s.address+"/api/v1/builds/api/2/shell?at=failed", nil)
	token, _ := os.ReadFile(filepath.Join(s.data(), "token"))
	for name, value := range map[string]string{
		"Authorization": "Bearer " + strings.TrimSpace(string(token)), "Connection": "Upgrade", "Upgrade": "websocket", "Origin": "https://elsewhere.example",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site was answered %s, want 403", resp.Status)
	}
	audit, _, _ := s.runCLI(s.dir, "audit")
	for _, want := range []string{"open-shell", "close-shell", "exit 7", "reader"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, audit)
		}
	}
}

// underTheNextDaemon kills the daemon while somebody is in the sandbox.
func (s *keptStory) underTheNextDaemon() {
	t := s.t
	s.in("echo kept > between.txt")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sh, err := s.OpenShell(ctx, s.build, client.ShellOptions{At: "failed", Command: []string{"sh", "-c", "echo in; cat"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	s.kill()
	if _, err := sh.Copy(new(bytes.Buffer), new(bytes.Buffer)); err == nil {
		t.Error("a shell ended well although its daemon was killed")
	}
	s.start()
	s.awaitClosed()
	if out, errs, exit := s.in("cat between.txt store/a"); out != "kept\ninside\n" || exit != 0 {
		t.Errorf("under the next daemon the sandbox has %q (%s), exit status %d", out, errs, exit)
	}
	b, err := s.Build(t.Context(), s.build)
	if err != nil || b.Jobs[0].Kept == nil {
		t.Errorf("the next daemon does not tell of the kept sandbox: %+v, %v", b.Jobs, err)
	}
}

// whatEndsIt removes the container behind the daemon's back, and finds nothing left of it.
func (s *keptStory) whatEndsIt() {
	t := s.t
	s.awaitClosed()
	if out, err := exec.Command("docker", "rm", "-f", s.box).CombinedOutput(); err != nil {
		t.Fatalf("docker rm: %v: %s", err, out)
	}
	if _, errs, exit := s.in("true"); exit != 2 || !strings.Contains(errs, "error: ") {
		t.Errorf("going into a sandbox that somebody removed says, with exit status %d:\n%s", exit, errs)
	}
	for deadline := time.Now().Add(30 * time.Second); left(t, filepath.Join(s.data(), "sandboxes")) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the directory of a kept sandbox without container stays")
		}
	}
	_, errs, _ := s.in("true")
	if !strings.Contains(errs, "no sandbox is kept") {
		t.Errorf("of a sandbox that is gone is said:\n%s", errs)
	}
}

// TestAShellBesideARunningJob goes into a job that runs: it is not proof any more, and what the shell left running is ended with it.
func TestAShellBesideARunningJob(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("echo ready; while [ ! -e go ]; do sleep 0.1; done; test -z \"$(ps | grep [s]leep.77)\"")})
	d := newDaemon(t, "keep-failed: 1h\n", project("api", url))
	id := d.push(url, commit)
	d.awaitLog(id, "ready")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sh, err := d.OpenShell(ctx, id, client.ShellOptions{Command: []string{"sh", "-c", "sleep 777 & sleep 776"}})
	if err != nil {
		t.Fatal(err)
	}
	if sh.At != "running" {
		t.Errorf("the shell is at %q", sh.At)
	}
	sh.Close()
	if out, errs, exit := d.runCLI(t.TempDir(), "shell", id, "--", "sh", "-c", "while ps | grep -q '[s]leep.77'; do sleep 0.1; done; touch go; echo done"); out != "done\n" || exit != 0 {
		t.Fatalf("beside the job the command printed %q, %q, exit status %d", out, errs, exit)
	}
	b := d.ended(id, "SUCCEEDED")
	if b.Jobs[0].Entered != "admin" || b.Jobs[0].Kept != nil {
		t.Errorf("the job says that %q went into it, and has kept %+v", b.Jobs[0].Entered, b.Jobs[0].Kept)
	}
	if _, errs, exit := d.runCLI(t.TempDir(), "shell", id, "--", "true"); exit != 2 || !strings.Contains(errs, "nothing failed") {
		t.Errorf("going into a job that succeeded says, with exit status %d:\n%s", exit, errs)
	}
	d.awaitLeft(0)
}
