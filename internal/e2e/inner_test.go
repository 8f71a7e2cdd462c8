package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAJobBuildsImagesInAnEngineOfItsOwn runs a privileged job whose image has dockerd: the agent starts it, and
// `docker build` works, with nothing of it on the engine outside.
func TestAJobBuildsImagesInAnEngineOfItsOwn(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("../../scripts/images", "dind:latest").CombinedOutput(); err != nil {
		t.Fatalf("making the image with an engine in it: %v\n%s", err, out)
	}
	git := newGitServer(t)
	files := map[string]string{
		"buildspec.yml": `version: 0.2
env:
  image: runner-test/dind:latest
batch:
  build-list:
    - identifier: image
      env: {privileged-mode: true}
phases:
  pre_build:
    commands:
      - docker version
      - cp "$(command -v busybox)" busybox
  build:
    commands:
      - docker build -t inner/app:1 .
      - docker run --rm inner/app:1
`,
		"Dockerfile": "FROM scratch\nCOPY busybox /bin/busybox\nCMD [\"/bin/busybox\", \"echo\", \"hello from the inner engine\"]\n",
	}
	_, url, commit := git.repo("images", files)
	d := newDaemon(t, online, project("images", url, "privileged: true"))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	if log := d.logs(b); !strings.Contains(log, "\nhello from the inner engine\n") {
		t.Errorf("the inner container said nothing:\n%s", log)
	}
	if out, _ := exec.Command("docker", "images", "-q", "inner/app:1").Output(); len(out) > 0 {
		t.Error("the image that the job built is on the engine outside")
	}
	assertNothingLeft(t, d)
}

// TestAnImagesOwnTableOfRuntimes makes an image that carries CodeBuild's table and selects from it.
func TestAnImagesOwnTableOfRuntimes(t *testing.T) {
	t.Parallel()
	const ref = "runner-test/runtimes-e2e:latest"
	dir := t.TempDir()
	table := `version: 0.1
runtimes:
  greeter:
    versions:
      1.0:
        commands:
          - export GREETING="hello from one"
      2.3:
        commands:
          - export GREETING="hello from two"
      default:
        commands:
          - export GREETING="hello from $VERSION"
`
	for name, text := range map[string]string{
		"runtimes.yml": table,
		"Dockerfile":   "FROM " + image + "\nCOPY runtimes.yml /codebuild/image/config/runtimes.yml\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	docker(t, "build", "-q", "-t", ref, dir)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", ref).Run() })
	git := newGitServer(t)
	with := func(version string) map[string]string {
		return map[string]string{"buildspec.yml": fmt.Sprintf(`version: 0.2
env:
  image: %s
  variables: {WANTED: 2.3}
phases:
  install:
    runtime-versions:
      greeter: %s
  build:
    commands: ['echo "$GREETING"']
`, ref, version)}
	}
	d := newDaemon(t, "", project("p-x", git.url+"/p-x.git"), project("p-var", git.url+"/p-var.git"), project("p-none", git.url+"/p-none.git"))
	for name, c := range map[string]struct{ version, status, says string }{
		"p-x":    {"2.x", "SUCCEEDED", "\nhello from two\n"},
		"p-var":  {"$WANTED", "SUCCEEDED", "\nhello from two\n"},
		"p-none": {"$NOWHERE", "FAILED", "greeter"},
	} {
		_, url, commit := git.repo(name, with(c.version))
		b := d.ended(d.push(url, commit), c.status)
		if log := d.logs(b); !strings.Contains(log, c.says) {
			t.Errorf("%s: the log lacks %q:\n%s", name, c.says, log)
		}
	}
	assertNothingLeft(t, d)
}
