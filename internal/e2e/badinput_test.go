package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestWhatBadInputGets(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	d := newDaemon(t, "slots: 4\n")
	tests := []struct {
		name   string
		files  map[string]string
		commit string // instead of the repository's
		url    string // likewise
		status string
		reason string
		says   []string // in the build's message
		log    []string
	}{
		{
			name: "broken-buildspec", files: map[string]string{"buildspec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n"},
			status: "FAILED", reason: "buildspec", says: []string{"buildspec.yml:5:9", "quote"},
		},
		{
			name: "no-buildspec", files: map[string]string{"README": "nothing here"},
			status: "FAILED", reason: "buildspec_missing", says: []string{"buildspec.yml"},
		},
		{
			name: "unknown-commit", files: map[string]string{"buildspec.yml": spec("true")}, commit: strings.Repeat("ab", 20),
			status: "FAILED", says: []string{strings.Repeat("ab", 20)},
		},
		{
			name: "unreachable-remote", url: "http://127.0.0.1:1/nothing.git", commit: strings.Repeat("ab", 20),
			status: "FAULT", says: []string{"127.0.0.1:1"},
		},
		{
			name:   "missing-image",
			files:  map[string]string{"buildspec.yml": strings.Replace(spec("true"), image, "127.0.0.1:1/no/such:image", 1)},
			status: "FAULT", reason: "image_pull", says: []string{"127.0.0.1:1/no/such:image"},
		},
		{
			name: "no-image", files: map[string]string{"buildspec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n      - 'true'\n"},
			status: "FAILED", reason: "no_image", says: []string{"env.image"},
		},
		{
			name: "killed-command", files: map[string]string{"buildspec.yml": spec("sh -c 'kill -9 $$'")},
			status: "FAILED", says: []string{"137"}, log: []string{"exit status 137"},
		},
		{
			name: "failing-command", files: map[string]string{"buildspec.yml": spec("echo before", "false", "echo after")},
			status: "FAILED", says: []string{"false", "exit status 1"}, log: []string{"before\n"},
		},
		{
			name:   "killed-agent",
			files:  map[string]string{"buildspec.yml": spec("echo about to; kill -9 1; sleep 1; for p in /proc/[0-9]*; do :; done; echo survived")},
			status: "SUCCEEDED", log: []string{"survived"}, // the kernel protects PID 1 from its own namespace
		},
		{
			name:  "tampered-spool",
			files: map[string]string{"buildspec.yml": spec("echo one; sleep 0.5", "rm -rf /codebuild/spool/frames; ln -s /etc/shadow /codebuild/spool/frames; echo two")},
			log:   []string{"one"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, commit := tt.url, tt.commit
			if url == "" {
				var made string
				_, url, made = git.repo(tt.name, tt.files)
				if commit == "" {
					commit = made
				}
			}
			d := *d
			d.t = t
			p := client.Project{Name: tt.name, URL: url, Branch: "main"}
			if err := d.PutProject(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			tr, err := d.Start(t.Context(), client.Start{Project: tt.name, Ref: "refs/heads/main", Commit: commit})
			if err != nil {
				t.Fatal(err)
			}
			if tr, err = d.WaitTrigger(t.Context(), tr.ID); err != nil {
				t.Fatal(err)
			}
			b := d.build(tr.Builds[0])
			log := d.logs(b)
			if tt.status != "" && b.Status != tt.status || tt.reason != "" && b.Reason != tt.reason {
				t.Errorf("it ended %s (%s: %s), want %s (%s); log:\n%s", b.Status, b.Reason, b.Message, tt.status, tt.reason, log)
			}
			for _, want := range tt.says {
				if !strings.Contains(b.Message, want) {
					t.Errorf("the message lacks %q: %s", want, b.Message)
				}
			}
			for _, want := range tt.log {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
			if strings.Contains(log, "root:") {
				t.Errorf("the log shows a file of the host:\n%s", log)
			}
		})
	}
}

func TestALogOf100MBOnOneLineArrivesWhole(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("big", map[string]string{"buildspec.yml": spec("dd if=/dev/zero bs=1048576 count=100 2>/dev/null | tr '\\0' x; echo; echo end of it")})
	d := newDaemon(t, "", project("big", url))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	log := d.logs(b)
	if got := strings.Count(log, "x"); got < 100<<20 || got > 100<<20+100 {
		t.Errorf("%d bytes of the line arrived, want %d", got, 100<<20)
	}
	if !strings.Contains(log, "end of it\n") {
		t.Error("what came after the line is missing")
	}
}

func TestFileNamesWithNewlinesSurvive(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("odd", map[string]string{"buildspec.yml": spec("mkdir out; echo x > \"$(printf 'out/two\\nlines')\"; echo y > 'out/-rf *'") +
		"artifacts:\n  files: ['out/*']\n"})
	d := newDaemon(t, "", project("odd", url))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	sets, err := d.Artifacts(t.Context(), b.ID)
	if err != nil || len(sets) != 1 {
		t.Fatalf("artifacts: %+v, %v", sets, err)
	}
	var names []string
	for _, f := range sets[0].Files {
		names = append(names, f.Path)
	}
	slices.Sort(names)
	if want := []string{"out/-rf *", "out/two\nlines"}; !slices.Equal(names, want) {
		t.Errorf("the artifacts are %q, want %q", names, want)
	}
	dir := t.TempDir()
	if out, errs, exit := d.runCLI(dir, "artifacts", b.ID, "--out", dir); exit != 0 {
		t.Fatalf("runner artifacts exited %d: %s%s", exit, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "two\nlines")); err != nil {
		t.Error(err)
	}
}

func TestAnEngineThatIsDownIsAFaultAndTheDaemonGoesOn(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("true")})
	socket := filepath.Join(t.TempDir(), "none.sock")
	d := newDaemon(t, "engines:\n  - id: broken\n    host: unix://"+socket+"\n", project("api", url))
	b := d.ended(d.push(url, commit), "FAULT")
	if !strings.Contains(b.Message, socket) || !strings.Contains(b.Message, "systemctl start docker") {
		t.Errorf("the message does not name the engine and the remedy: %s", b.Message)
	}
	// The engine comes back: the same daemon builds.
	if err := os.Symlink("/var/run/docker.sock", socket); err != nil {
		t.Fatal(err)
	}
	d.ended(d.push(url, commit), "SUCCEEDED")
}

func TestASilentRemoteHoldsUpItsOwnProjectAlone(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel connects, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("true")})
	nobody := "http://" + silent.Addr().String() + "/mute.git"
	d := newDaemon(t, "", project("mute", nobody), project("api", url))
	for range 12 {
		d.push(nobody, commit)
	}
	d.ended(d.push(url, commit), "SUCCEEDED")
	if b, err := d.Build(t.Context(), "mute#1"); err != nil || b.Status != "IN_PROGRESS" {
		t.Errorf("meanwhile the silent remote's build is %s (%v), want IN_PROGRESS", b.Status, err)
	}
	for n := 12; n > 0; n-- { // those that wait for their turn end at once, too
		id := fmt.Sprintf("mute#%d", n)
		if _, err := d.Stop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		d.ended(id, "STOPPED")
	}
}

func TestAFullDiskIsAFaultThatSaysSo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("fill", map[string]string{"buildspec.yml": spec("dd if=/dev/urandom bs=1048576 count=400 | od -v; echo done")})
	_, small, smallCommit := git.repo("small", map[string]string{"buildspec.yml": spec("echo fine")})
	d := newDaemonOnDisk(t, "300m", "", project("fill", url), project("small", small))
	b := d.build(d.push(url, commit))
	if b.Status == "SUCCEEDED" || !strings.Contains(strings.ToLower(b.Message), "disk") && !strings.Contains(strings.ToLower(b.Message), "space") {
		t.Errorf("it ended %s (%s: %s), want a failure that says the disk is full", b.Status, b.Reason, b.Message)
	}
	fmt.Fprintln(d.log, "--- the next build ---")
	d.ended(d.push(small, smallCommit), "SUCCEEDED")
}

// newDaemonOnDisk is newDaemon on a disk of its own, of a size as mount has it.
func newDaemonOnDisk(t *testing.T, size, settings string, projects ...string) *daemon {
	t.Helper()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mounting a small disk: %v %s", err, out)
	}
	d := &daemon{t: t, dir: disk, address: freeAddress(t), extra: settings, log: new(syncBuffer)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", d.log)
		}
		d.terminate()
		d.removeSandboxes()
		for range 50 {
			if exec.Command("umount", disk).Run() == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		_ = exec.Command("umount", "-l", disk).Run()
	})
	d.configure(projects...)
	d.start()
	return d
}
