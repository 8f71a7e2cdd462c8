package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/enginetest"
)

// containerStory builds the image of the daemon by the example's Dockerfile, runs it with the mounts that
// docs/operations.md names and no others, and has it build. A restart of the container in the middle of the build ends
// nothing.
const containerStory = `set -eu
name=runner-test-daemon-$$
trap 'docker logs $name >&2 2>/dev/null || true; docker rm -f $name >/dev/null 2>&1 || true; docker rmi $name >/dev/null 2>&1 || true' EXIT
cp "$BINARY" bin-runner/runner
docker build -q --build-arg BASE="$IMAGE" -f "$DOCKERFILE" -t $name bin-runner >/dev/null 2>&1
mkdir -m 711 data; mkdir -m 700 etc
git init -q -b main data/repo
cat >data/repo/buildspec.yml <<'END'
version: 0.2
phases:
  build:
    commands:
      - for i in 1 2 3 4 5 6; do echo tick $i; sleep 1; done
END
git -C data/repo add -A
git -C data/repo -c user.name=Test -c user.email=test@example.com commit -q -m Begin
cat >etc/runner.yml <<END
listen: :8080
data: $PWD/data
allow-file-urls: true
engines: [{id: local, firewall: "off"}]
projects: [{name: api, url: "file://$PWD/data/repo", image: "$IMAGE"}]
END
docker run -d --name $name --network none -v /var/run/docker.sock:/var/run/docker.sock -v $PWD/data:$PWD/data -v $PWD/etc:/etc/runner $name >/dev/null
inside() { docker exec -e RUNNER_TOKEN="$(cat data/token)" $name "$@"; }
until [ -s data/token ] && inside runner ls >/dev/null 2>&1; do sleep 0.2; done
inside wget -q -O - --header "Authorization: Bearer $(cat data/token)" --header 'Content-Type: application/json' \
  --post-data '{"project":"api","ref":"refs/heads/main"}' http://127.0.0.1:8080/api/v1/triggers >/dev/null
until inside runner logs api 2>/dev/null | grep -q 'tick 2'; do sleep 0.2; done
docker restart -t 10 $name >/dev/null
until inside runner ls >/dev/null 2>&1; do sleep 0.2; done
until inside runner show api#1 | grep -q 'SUCCEEDED in'; do sleep 0.5; done
echo "ticks $(inside runner logs api#1 | grep -c '^tick')"
inside runner doctor --image "$IMAGE"
`

func TestContainerOfTheDaemon(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("makes an image and builds in it; set RUNNER_SLOW=1 to run it")
	}
	image := enginetest.Busybox(t)
	for _, program := range []string{"docker", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dockerfile, err := filepath.Abs("../../examples/container/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin-runner"), 0o755); err != nil {
		t.Fatal(err)
	}
	story := exec.CommandContext(t.Context(), "timeout", "300", "sh", "-c", containerStory)
	story.Dir = dir
	story.Env = append(os.Environ(), "IMAGE="+image, "DOCKERFILE="+dockerfile, "BINARY="+staticRunner(t), "HOME="+dir)
	out, err := story.Output()
	said := ""
	if failed, ok := err.(*exec.ExitError); ok {
		said = string(failed.Stderr)
	}
	for _, want := range []string{"ticks 6\n", "ok      sandbox on local: ", "where a daemon runs", " 0 fail\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing (%v):\n%s\n%s", want, err, out, said)
		}
	}
}
