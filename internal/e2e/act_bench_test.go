package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/githost"
)

// actVersion is the release of act that ours is compared with. It is no dependency: nothing of it is in go.mod.
const actVersion = "v0.2.89"

// act runs workflows of GitHub Actions on the engine of this machine, on the same image as ours.
type act struct {
	b      *testing.B
	binary string
	repo   *githost.Repo
	env    []string
}

// newAct prepares act with a workflow that runs commands, a step each. Where act cannot be had, why tells the reason.
func newAct(b *testing.B, commands ...string) (a *act, why error) {
	b.Helper()
	binary, err := actBinary(b)
	if err != nil {
		return nil, err
	}
	keepToolCache(b)
	home := b.TempDir() // no settings of whoever runs this, and the caches of act
	a = &act{b: b, binary: binary, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_CACHE_HOME=" + home}}
	workflow := "on: push\njobs:\n  echoes:\n    runs-on: ubuntu-latest\n    defaults: {run: {shell: sh}}\n    steps:\n"
	for _, c := range commands {
		workflow += fmt.Sprintf("      - run: %q\n", c)
	}
	if a.repo, err = githost.Create(b.Context(), b.TempDir(), "echoes"); err != nil {
		b.Fatal(err)
	}
	if err := a.repo.Write(".github/workflows/echoes.yml", workflow); err != nil {
		b.Fatal(err)
	}
	if _, err := a.repo.Commit(b.Context(), "first"); err != nil {
		b.Fatal(err)
	}
	a.run() // its caches and its volume of tools are there from now on
	return a, nil
}

// run runs the workflow to its end. Nothing of it needs a network, and act asks nothing.
func (a *act) run() time.Duration {
	a.b.Helper()
	cmd := exec.CommandContext(a.b.Context(), a.binary, "push", "--platform", "ubuntu-latest="+image, "--pull=false",
		"--container-daemon-socket", "-", "--no-cache-server")
	cmd.Dir, cmd.Env = a.repo.Dir, a.env
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil || !bytes.Contains(out, []byte("Job succeeded")) {
		a.b.Fatalf("act: %v\n%s", err, out)
	}
	return took
}

// actBinary is act as the Go proxy serves it, built once for a machine.
func actBinary(b *testing.B) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "runner-bench")
	binary := filepath.Join(dir, "act-"+actVersion)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(dir, "act-*") // so that half a binary never has the name of a whole one
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", "github.com/nektos/act@"+actVersion)
	install.Env = append(os.Environ(), "GOBIN="+made)
	if out, err := install.CombinedOutput(); err != nil {
		said := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("act %s could not be built: %w: %s", actVersion, err, said[len(said)-1])
	}
	return binary, os.Rename(filepath.Join(made, "act"), binary)
}

// keepToolCache removes the one thing that act leaves on the engine, unless it was there before.
func keepToolCache(b *testing.B) {
	const volume = "act-toolcache"
	if exec.Command("docker", "volume", "inspect", volume).Run() == nil {
		return
	}
	b.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", volume).Run() })
}
