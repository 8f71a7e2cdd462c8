package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/enginetest"
)

// triggersSpec says what a job was given by what started it.
const triggersSpec = `version: 0.2
env: {image: runner-test/busybox:latest}
phases:
  build:
    commands:
      - echo "pushed $RUNNER_REGISTRY_IMAGE $RUNNER_REGISTRY_TAG $RUNNER_REGISTRY_DIGEST"
      - echo "size $SIZE by $CODEBUILD_INITIATOR"
`

// notifying are the lines of a registry's configuration by which it tells the daemon at an address of what is pushed.
const notifying = `notifications:
  endpoints:
    - name: runner
      url: http://%s/hooks/registry/distribution
      headers: {Authorization: ["Bearer what the registry knows"]}
      timeout: 5s
      threshold: 10
      backoff: 100ms
`

func TestBuildsAreStartedByARegistryByHandAndByTheClock(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	registry := enginetest.Registry(t, "", "", fmt.Sprintf(notifying, address))
	git := newGitServer(t)
	_, url, _ := git.repo("api", map[string]string{"buildspec.yml": triggersSpec})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("what the registry knows\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemonAt(t, address, "", project("api", url,
		`registry-triggers: [{registry: distribution, repository: "team/*", tag: "v*", secret: "file:`+secret+`"}]`,
		`parameters: {size: {type: number, min: 1, max: 9, default: 2}}`,
		`schedules: [{name: nightly, cron: "30 2 * * *", timezone: Europe/Berlin, parameters: {size: 7}}]`))

	// A registry: one build for an image, however many tags it gets.
	name := registry + "/team/base"
	digest := pushTag(t, name+":v1")
	pushTag(t, name+":latest")
	pushTag(t, registry+"/other/base:v1")
	b := d.ended(d.awaitKind("registry"), "SUCCEEDED")
	for _, want := range []string{fmt.Sprintf("pushed %s v1 %s\n", name, digest), "size 2 by distribution\n"} {
		if !strings.Contains(d.logs(b), want) || b.Trusted {
			t.Errorf("its job was not told %q, or it is trusted (%v):\n%s", want, b.Trusted, d.logs(b))
		}
	}
	pushTag(t, name+":v2")
	d.awaitSaid("again=true")
	if page, err := d.Triggers(t.Context(), client.ListOptions{Limit: 100}); err != nil || len(page.Items) != 1 {
		t.Errorf("the pushes made the triggers %+v, %v", page.Items, err)
	}

	// By hand: what does not fit is refused, what fits is given, shown and kept by a retry.
	_, errs, exit := d.runCLI(t.TempDir(), "start", "api", "-p", "sise=3", "-p", "size=12")
	if exit != 2 || !strings.Contains(errs, `body.parameters.sise: project api has no parameter of this name (did you mean "size"?)`) {
		t.Errorf("exit %d: %s", exit, errs)
	}
	out, errs, exit := d.runCLI(t.TempDir(), "start", "api", "--ref", "main", "-p", "size=3", "--follow")
	if exit != 0 || !strings.Contains(out, "size 3 by ") {
		t.Fatalf("exit %d: %s%s", exit, out, errs)
	}
	if out, errs, _ := d.runCLI(t.TempDir(), "show", "api"); !strings.Contains(out, "with size=3") {
		t.Errorf("show: %s%s", out, errs)
	}
	if again := d.ended(d.retried("api#2", false), "SUCCEEDED"); !strings.Contains(d.logs(again), "size 3 by ") {
		t.Errorf("the retry was given something else:\n%s", d.logs(again))
	}

	// The clock: what comes is told, in the schedule's time zone.
	out, errs, exit = d.runCLI(t.TempDir(), "schedules")
	if exit != 0 || !strings.Contains(out, "api/nightly") || strings.Count(out, " 02:30 CE") != 5 {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
}

// pushTag gives the small image a name in a registry, pushes it there, and returns its digest.
func pushTag(t *testing.T, name string) (digest string) {
	t.Helper()
	docker(t, "tag", image, name)
	defer docker(t, "rmi", name)
	for line := range strings.Lines(docker(t, "push", name)) {
		if _, rest, ok := strings.Cut(line, "digest: "); ok {
			digest, _, _ = strings.Cut(rest, " ")
		}
	}
	return digest
}

// awaitKind waits for the first build of a kind.
func (d *daemon) awaitKind(kind string) string {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		page, err := d.Builds(d.t.Context(), client.ListOptions{Limit: 100})
		if err != nil {
			d.t.Fatal(err)
		}
		for _, b := range page.Items {
			if b.Kind == kind {
				return b.ID
			}
		}
	}
	d.t.Fatalf("no build of the kind %s was made", kind)
	return ""
}

// awaitSaid waits until the daemon's log has some words.
func (d *daemon) awaitSaid(words string) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(d.log.String(), words); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("the daemon never said %q", words)
		}
	}
}
