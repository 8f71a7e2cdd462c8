package e2e

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestEachMinuteIsOneBuildWhateverDies has a schedule of each minute, and a daemon that is killed every second or two.
func TestEachMinuteIsOneBuildWhateverDies(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("takes three minutes of the clock; what it shows, the tests of package scheduler show in simulated time: set RUNNER_SLOW=1 to run it")
	}
	git := newGitServer(t)
	_, url, _ := git.repo("api", map[string]string{"buildspec.yml": triggersSpec})
	d := newDaemon(t, "", project("api", url, `schedules: [{name: each, cron: "* * * * *", missed: all}]`))
	begin := time.Now()
	for time.Since(begin) < 3*time.Minute {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		d.kill()
		d.start()
	}
	page, err := d.Triggers(t.Context(), client.ListOptions{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var minutes []string
	for _, tr := range page.Items {
		minutes = append(minutes, tr.Delivery)
		d.ended(tr.Builds[0], "SUCCEEDED")
	}
	var want []string
	for at := begin.Truncate(time.Minute).Add(time.Minute); at.Before(begin.Add(3 * time.Minute)); at = at.Add(time.Minute) {
		want = append(want, "schedule/api/each/"+at.UTC().Format(time.RFC3339))
	}
	if slices.Sort(minutes); !slices.Equal(minutes, want) && !(len(minutes) == len(want)+1 && slices.Equal(minutes[:len(want)], want)) {
		t.Errorf("the minutes %q became builds, want %q", minutes, want)
	}
}
