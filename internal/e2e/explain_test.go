package e2e

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestExplainTellsWhatHappened: two shards share a suite with a test that takes longer than all else. The path goes
// through the shard that ran it, without a gap, and a third shard would have saved nothing.
func TestExplainTellsWhatHappened(t *testing.T) {
	t.Parallel()
	files := suiteFiles(1, "queue", 0.1, -1)
	files["buildspec.yml"] = strings.Replace(files["buildspec.yml"], "parallelism: 4", "parallelism: 2", 1)
	files["tests/t99.sh"] = "sleep 3\n"
	git := newGitServer(t)
	_, url, commit := git.repo("shards", files)
	d := newDaemon(t, "slots: 2\n", project("shards", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	if so, err := d.Explain(t.Context(), id); err != nil || so.Status != "IN_PROGRESS" || len(so.Path) == 0 || !so.Path[len(so.Path)-1].Running {
		t.Errorf("of the build that runs it says %+v (%v)", so, err)
	}
	b := d.ended(id, "SUCCEEDED")
	e, err := d.Explain(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	when, sum := e.Created, 0.0
	for _, s := range e.Path {
		if gap := s.Started.Sub(when).Seconds(); math.Abs(gap) > 1e-3 {
			t.Errorf("the step %s %s begins %g s after the one before it ended", s.Kind, s.Phase, gap)
		}
		when, sum = s.Started.Add(time.Duration(s.Seconds*float64(time.Second))), sum+s.Seconds
	}
	if math.Abs(sum-b.Seconds) > 1e-3 {
		t.Errorf("the steps take %g s, and the build took %g s", sum, b.Seconds)
	}
	long := slices.IndexFunc(b.Jobs, func(j client.Job) bool { return slices.Contains(d.ranOf(b, j), "tests/t99.sh") })
	if long < 0 {
		t.Fatal("no shard ran the long test")
	}
	build := slices.IndexFunc(e.Path, func(s client.Step) bool { return s.Phase == "BUILD" })
	if build < 0 || e.Path[build].Job != b.Jobs[long].ID || e.Path[build].Tests == nil || len(e.Path[build].Commands) != 1 {
		t.Errorf("the path is %+v, and %s ran the long test", e.Path, b.Jobs[long].ID)
	}
	if i := slices.IndexFunc(e.Savings, func(s client.Saving) bool { return s.Kind == client.SaveShards }); i >= 0 {
		t.Errorf("more shards would have saved %+v", e.Savings[i])
	}
	if !slices.ContainsFunc(e.Notes, func(n string) bool { return strings.Contains(n, "tests/t99.sh alone took 3.") }) {
		t.Errorf("the notes do not tell what more shards cannot help: %q", e.Notes)
	}
	out, errs, exit := d.runCLI(t.TempDir(), "explain", id)
	if exit != 0 || !strings.Contains(out, "what decided it") || !strings.Contains(out, "\n  build ") {
		t.Errorf("runner explain exited %d:\n%s%s", exit, out, errs)
	}
}
