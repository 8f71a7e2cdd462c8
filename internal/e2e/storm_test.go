package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// kills is how often the storm kills the daemon.
const kills = 100

// stormSpec has three shards. Each writes numbered lines and a file, and fails where it is told to.
func stormSpec(status int) string {
	return fmt.Sprintf(`version: 0.2
env:
  image: %s
batch:
  fast-fail: false
  build-fanout:
    parallelism: 3
phases:
  build:
    commands:
      - 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line-$i-end; sleep 0.02; done'
      - echo last words; seq 20000 > out; exit %d
artifacts:
  files: [out]
`, image, status)
}

// TestKillsByTheHundred delivers pushes without a pause while the daemon is killed at random moments, whatever it
// is doing. Each push makes one build; each build has its true result, each log every line once, each set of
// artifacts every byte.
func TestKillsByTheHundred(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skipf("kills the daemon %d times; set RUNNER_SLOW=1 to run it", kills)
	}
	git := newGitServer(t)
	_, good, goodCommit := git.repo("good", map[string]string{"buildspec.yml": stormSpec(0)})
	_, bad, badCommit := git.repo("bad", map[string]string{"buildspec.yml": stormSpec(7)})
	// Sandboxes wait for jobs, and are made, taken and removed while the daemon dies.
	d := newDaemon(t, "slots: 3\nwarm: auto\n", project("good", good), project("bad", bad))
	user := &stormUser{d: d, api: d.Client}

	var calm atomic.Bool
	pushed := make(chan []string)
	go func() {
		var triggers []string
		for !calm.Load() {
			h := pushOf(good, "refs/heads/main", goodCommit)
			if len(triggers)%2 == 1 {
				h = pushOf(bad, "refs/heads/main", badCommit)
			}
			id := user.push(h)
			triggers = append(triggers, id)
			user.settle(id)
		}
		pushed <- triggers
	}()
	for range kills {
		time.Sleep(rand.N(1200 * time.Millisecond))
		d.kill()
		d.start()
	}
	calm.Store(true)
	triggers := <-pushed

	var builds []string
	for _, id := range triggers {
		tr, err := d.WaitTrigger(t.Context(), id)
		if err != nil || len(tr.Builds) != 1 {
			t.Fatalf("trigger %s made the builds %v (%v), want one", id, tr.Builds, err)
		}
		if slices.Contains(builds, tr.Builds[0]) {
			t.Fatalf("two triggers claim build %s", tr.Builds[0])
		}
		builds = append(builds, tr.Builds[0])
		assertWeathered(t, d, tr.Builds[0], tr.Projects[0] == "bad")
	}
	warm := 0
	for _, id := range builds {
		for _, j := range d.build(id).Jobs {
			if j.Warm {
				warm++
			}
		}
	}
	t.Logf("%d kills, %d builds, %d of their jobs in sandboxes that waited", kills, len(builds), warm)
	d.kill()
	d.extra = "slots: 3\nwarm: off\n"
	d.configure(project("good", good), project("bad", bad))
	d.start()
	assertNothingLeft(t, d)
	d.check()
}

// stormUser talks to a daemon that is away most of the time.
type stormUser struct {
	d   *daemon
	api *client.Client
}

// push delivers until it is answered, as forges do when somebody presses redeliver.
func (u *stormUser) push(h delivery) (trigger string) {
	for u.d.t.Context().Err() == nil {
		status, answer, err := u.d.deliver(h)
		switch {
		case err != nil:
			time.Sleep(10 * time.Millisecond)
		case status != http.StatusAccepted:
			u.d.t.Errorf("the webhook was answered %d: %v", status, answer)
			return ""
		default:
			return answer["trigger"].(string)
		}
	}
	return ""
}

// settle waits until the build of a trigger has ended.
func (u *stormUser) settle(trigger string) {
	ctx := u.d.t.Context()
	for ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		tr, err := u.api.Trigger(ctx, trigger)
		if err != nil || len(tr.Builds) == 0 {
			continue
		}
		if b, err := u.api.Build(ctx, tr.Builds[0]); err == nil && b.Status != "IN_PROGRESS" {
			return
		}
	}
}

func assertWeathered(t *testing.T, d *daemon, id string, bad bool) {
	t.Helper()
	status, exit := "SUCCEEDED", 0
	if bad {
		status, exit = "FAILED", 7
	}
	b := d.ended(id, status)
	if len(b.Jobs) != 3 {
		t.Fatalf("%s has %d jobs, want 3", id, len(b.Jobs))
	}
	for _, j := range b.Jobs {
		if j.Exit != exit || j.Attempt != 1 {
			t.Errorf("%s %s: exit status %d in attempt %d, want %d in the first", id, j.Name, j.Exit, j.Attempt, exit)
		}
		assertWhole(t, d.jobLog(id, j.ID), 60)
		file, err := d.ArtifactFile(t.Context(), id, j.ID, "out")
		if err != nil {
			t.Errorf("%s %s: %v", id, j.Name, err)
			continue
		}
		n, err := io.Copy(io.Discard, file)
		file.Close()
		if err != nil || n != 108894 { // as seq(1) writes it
			t.Errorf("%s %s: its artifact has %d bytes (%v), want 108894", id, j.Name, n, err)
		}
	}
}

// TestKillsWhileSandboxesWait kills the daemon in the milliseconds in which a sandbox that waited is given its job, filled
// and told, and its job runs. Each push makes one build, whose one attempt succeeds with every line once.
func TestKillsWhileSandboxesWait(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("kills the daemon 30 times; set RUNNER_SLOW=1 to run it")
	}
	git := newGitServer(t)
	_, url, commit := git.repo("api", counting(20, 0))
	const rounds = 30
	const settings = "slots: 2\nwarm: "
	d := newDaemon(t, settings+"auto\n", project("api", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	user := &stormUser{d: d, api: d.Client}
	warm := 0
	for n := range rounds {
		began := time.Now()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if info, err := d.Daemon(t.Context()); err == nil && info.Warm > 0 || time.Now().After(deadline) {
				break
			}
		}
		trigger := user.push(pushOf(url, "refs/heads/main", commit))
		time.Sleep(time.Duration(n) * 60 / rounds * time.Millisecond) // the whole takes about 40
		d.kill()
		d.start()
		tr, err := d.WaitTrigger(t.Context(), trigger)
		if err != nil || len(tr.Builds) != 1 {
			t.Fatalf("trigger %s made the builds %v (%v), want one", trigger, tr.Builds, err)
		}
		b := d.ended(tr.Builds[0], "SUCCEEDED")
		if b.Jobs[0].Attempt != 1 {
			t.Errorf("%s took %d attempts after a kill at %d ms", b.ID, b.Jobs[0].Attempt, n)
		}
		if b.Jobs[0].Warm {
			warm++
		}
		assertWhole(t, d.logs(b), 20)
		t.Logf("round %d took %s, warm %t", n, time.Since(began), b.Jobs[0].Warm)
	}
	if t.Logf("%d of %d jobs had a sandbox that waited", warm, rounds); warm < rounds/2 {
		t.Error("too few to tell anything")
	}
	d.kill()
	d.extra = settings + "off\n"
	d.configure(project("api", url))
	d.start()
	assertNothingLeft(t, d)
	d.check()
}
