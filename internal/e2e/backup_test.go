package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestABackupOfABusyDaemonIsRestored saves a daemon while a build runs, damages copies of what was saved, and starts another
// daemon on what was not.
func TestABackupOfABusyDaemonIsRestored(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("echo kept") + "artifacts:\n  files: ['*.bin']\n", "a.bin": "bytes"})
	_, busy, running := git.repo("busy", counting(2000, 0))
	d := newDaemon(t, "", project("api", url), project("busy", busy))
	done := d.ended(d.push(url, commit), "SUCCEEDED")
	id := d.push(busy, running)
	d.awaitPhase(id, "BUILD")
	file := filepath.Join(t.TempDir(), "backup.tar")
	out, stderr, status := d.runCLI(d.dir, "backup", file)
	if status != 0 || !strings.Contains(out, "checksums right") || !strings.Contains(out, "the key of the secret store") {
		t.Fatalf("runner backup ended %d: %s%s", status, out, stderr)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode is %v (%v), want 0600", info.Mode(), err)
	}
	if _, stderr, status := d.runCLI(d.dir, "backup", file); status == 0 || !strings.Contains(stderr, "there already") {
		t.Errorf("a second backup into the same file ended %d: %s", status, stderr)
	}
	if _, stderr, status := d.runCLI(d.dir, "restore", "--data", d.data(), file); status == 0 {
		t.Errorf("a restore over a running daemon ended %d: %s", status, stderr)
	}
	d.kill()
	if _, stderr, status := d.runCLI(d.dir, "restore", "--data", d.data(), file); status == 0 || !strings.Contains(stderr, "is not empty") {
		t.Errorf("a restore over another state ended %d: %s", status, stderr)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	for name, damaged := range map[string][]byte{
		"cut": whole[:len(whole)*2/3], "flipped": flipped, "newer": []byte(strings.Replace(string(whole), `"format": 1`, `"format": 7`, 1)), "no backup": []byte("hello"),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "damaged.tar")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := d.runCLI(dir, "restore", "--data", filepath.Join(dir, "data"), path)
		if _, err := os.Stat(filepath.Join(dir, "data", "state.db")); status == 0 || err == nil {
			t.Errorf("a backup that is %s was restored: %d %s", name, status, stderr)
		}
	}

	// The machine is lost, with its containers.
	for _, c := range d.containers() {
		_ = exec.Command("docker", "rm", "-f", c).Run()
	}
	if err := os.Rename(d.data(), d.data()+".lost"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.data(), 0o711); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(d.dir, "runner.yml")
	if out, stderr, status := d.runCLI(d.dir, "restore", "--config", config, file); status != 0 || !strings.Contains(out, "runner serve") {
		t.Fatalf("runner restore ended %d: %s%s", status, out, stderr)
	}
	d.check()
	d.start()
	if b := d.ended(id, "FAULT"); b.Reason != "sandbox_lost" {
		t.Errorf("what ran is %s (%s), want sandbox_lost", b.Reason, b.Message)
	}
	again := d.build(done.ID)
	if again.Status != "SUCCEEDED" || !strings.Contains(d.logs(again), "kept\n") || d.artifact(done.ID, "build", "a.bin") != "bytes" {
		t.Errorf("the restored build is %s, its log:\n%s", again.Status, d.logs(again))
	}
	if b := d.ended(d.push(url, commit), "SUCCEEDED"); b.Number <= done.Number {
		t.Errorf("the build after the restore has number %d, after %d", b.Number, done.Number)
	}
	d.terminate()
	d.check()
	d.start()
}
