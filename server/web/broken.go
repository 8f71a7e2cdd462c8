package web

import (
	"net/url"
	"slices"

	"github.com/runner-ci/runner/client"
)

const (
	// mostFailures is how many failed tests a page lists, mostStrips of how many it shows the history.
	mostFailures = 50
	mostStrips   = 10
	// mostCauses is how many jobs that failed without a failed test are shown with the end of their logs.
	mostCauses = 3
)

// failure is one failed, flaky or quarantined test.
type failure struct {
	client.TestCase
	Known *client.TestFailure // what is known beyond, nil where that is nothing
	Shape string              // no, or flk of what does not fail the build
	Job   *client.Job
	Strip *bars
	Open  bool
}

// LogPath is the log of its job, searched for its name; "" where there is none.
func (f failure) LogPath(build string) string {
	if f.Job == nil || f.Job.Attempt == 0 {
		return ""
	}
	name := []rune(f.Name)
	return logPath(build, f.Job.ID, 0, 0) + "&q=" + url.QueryEscape(string(name[:min(len(name), 200)]))
}

// Counts tells whether it fails the build.
func (f failure) Counts() bool { return f.Shape == "no" }

// cause is a job that failed, where no test says why.
type cause struct {
	Job     *client.Job
	Tail    *logTail // nil of one that never ran
	Meaning string
}

// broken is all that broke.
type broken struct {
	Failures []failure
	More     int // tests that are not listed
	Causes   []cause
	Others   []*client.Job // that failed, too
	Skipped  int           // jobs that were not started because of them
}

// Any tells whether there is something to show.
func (b broken) Any() bool { return len(b.Failures)+len(b.Causes)+len(b.Others) > 0 }

// whatBroke collects the failed tests, and the jobs that failed without one.
func (s *Site) whatBroke(v *visit, b client.Build) (out broken, err error) {
	if b.Tests != nil {
		if out.Failures, out.More, err = s.failures(v, b); err != nil {
			return out, err
		}
	}
	tested := map[string]bool{}
	for _, f := range out.Failures {
		if f.Job != nil && f.Counts() {
			tested[f.Job.ID] = true
		}
	}
	for _, j := range countingFirst(b.Jobs) {
		switch {
		case j.Reason == "dependency_failed":
			out.Skipped++
		case !bad(j):
		case tested[j.ID] && (j.Reason == "command_failed" || j.Reason == ""):
		case len(out.Causes) < mostCauses:
			c := cause{Job: j}
			if j.Reason != "command_failed" {
				c.Meaning = asSentence(meaning(j.Reason))
			}
			if j.Attempt > 0 && j.LogBytes > 0 {
				c.Tail = s.readTail(v, b, j)
			}
			out.Causes = append(out.Causes, c)
		default:
			out.Others = append(out.Others, j)
		}
	}
	return out, nil
}

// countingFirst is jobs in their order, but for those whose failure is ignored, which come last.
func countingFirst(jobs []client.Job) (out []*client.Job) {
	for i := range jobs {
		out = append(out, &jobs[i])
	}
	slices.SortStableFunc(out, func(a, b *client.Job) int { return truesFirst(!a.Ignored, !b.Ignored) })
	return out
}

// failures joins what the reports say of each test with what is known of its past. While reports are still to be read there is only what
// jobs told while they ran.
func (s *Site) failures(v *visit, b client.Build) (out []failure, more int, err error) {
	known := map[string]*client.TestFailure{}
	for i := range b.Tests.Failures {
		known[b.Tests.Failures[i].ID] = &b.Tests.Failures[i]
	}
	report, err := s.Client.Tests(v.Context(), b.ID, client.TestOptions{Limit: mostFailures})
	if err != nil && !isStatus(err, 404) {
		return nil, 0, err
	}
	for _, c := range report.Items {
		f := failure{TestCase: c, Known: known[c.ID], Shape: "no"}
		if c.Flaky || c.Quarantine != nil {
			f.Shape = "flk"
		}
		delete(known, c.ID)
		out = append(out, f)
	}
	for i := range b.Tests.Failures { // told by jobs that run
		if t := &b.Tests.Failures[i]; known[t.ID] != nil {
			c := client.TestCase{ID: t.ID, Suite: t.Suite, Name: t.Name, File: t.File, Line: t.Line, Message: t.Message, Build: t.Build, Shard: t.Shard, Attempt: t.Attempt}
			out = append(out, failure{TestCase: c, Known: t, Shape: "no"})
		}
	}
	slices.SortStableFunc(out, func(a, b failure) int { return weigh(a) - weigh(b) })
	t := b.Tests
	more = max(0, t.Failed+t.Error+t.Flaky+t.Quarantined-len(out))
	for i := range out {
		s.complete(v, b, &out[i], i)
	}
	return out, more, nil
}

// weigh sorts: what fails the build comes first, and of that what is explained.
func weigh(f failure) int {
	switch {
	case f.Counts() && f.Known != nil:
		return 0
	case f.Counts():
		return 1
	}
	return 2
}

// complete adds the job that a test ran in, and its history.
func (s *Site) complete(v *visit, b client.Build, f *failure, place int) {
	if f.Shard >= 0 && f.Shard < len(b.Jobs) {
		f.Job = &b.Jobs[f.Shard]
	}
	f.Open = place == 0 || place < 3 && f.Counts()
	if place >= mostStrips || !v.known() {
		return
	}
	if results, err := s.Client.TestHistory(v.Context(), b.Project, f.ID); err == nil && len(results) > 0 { // without, there is no strip
		strip := resultStrip(results)
		f.Strip = &strip
	}
}

// resultStrip shows the results of one test, which come newest first.
func resultStrip(results []client.TestResult) bars {
	builds := make([]client.Build, 0, stripBars)
	for _, r := range results[:min(len(results), stripBars)] {
		status := r.Status
		if r.Flaky || r.Quarantined {
			status = "FLAKY"
		}
		builds = append(builds, client.Build{ID: r.Build, Status: status, Seconds: r.Seconds})
	}
	return strip(builds)
}
