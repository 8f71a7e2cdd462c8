package buildspec

import (
	"strings"
	"testing"
	"time"
)

func TestShardsAreChosenByWhoKnows(t *testing.T) {
	text := "version: 0.2\nphases: {build: {commands: [make]}}\nbatch: {build-fanout: {parallelism: 3}}\nx-runner: {shards: %}\n"
	for _, c := range []struct {
		shards       string
		gives, most  int // of who knows, and jobs of the project
		want, target int
		note         string
	}{
		{"auto", 5, 0, 5, 0, "5 shards: so it is"},
		{"{auto: yes, target: 2m}", 5, 0, 5, 120, "5 shards: so it is"},
		{"{target: 90}", 5, 4, 4, 90, "4 shards: so it is"},
		{"auto", 0, 0, 3, 0, "3 shards, as parallelism says: so it is"},
		{"{auto: no}", 5, 0, 3, -1, ""},
		{"{auto: , target: 2m}", 5, 0, 5, 120, "5 shards: so it is"},
		{"7", 5, 0, 7, -1, ""},
	} {
		spec, err := Parse(DefaultFile, []byte(strings.ReplaceAll(text, "%", c.shards)))
		if err != nil {
			t.Fatal(err)
		}
		asked := -time.Second
		plan, err := spec.Plan(Options{MaxJobs: c.most, Shards: func(target time.Duration, most int) (int, string) {
			if asked = target; most < 1 {
				t.Errorf("%s: at most %d are allowed", c.shards, most)
			}
			return c.gives, "so it is"
		}})
		if err != nil {
			t.Fatal(err)
		}
		if last := plan.Jobs[len(plan.Jobs)-1]; len(plan.Jobs) != c.want || last.Shards != c.want || plan.Note != c.note {
			t.Errorf("%s makes %d jobs (%s), want %d (%s)", c.shards, len(plan.Jobs), plan.Note, c.want, c.note)
		}
		if asked != time.Duration(c.target)*time.Second {
			t.Errorf("%s: asked for the target %s, want %d s", c.shards, asked, c.target)
		}
	}
}
