package explain

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a time of a build, in seconds from when it was made.
func at(s float64) time.Time { return t0.Add(seconds(s)) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// made is a build that was planned after 1 s and ended at a time; 0 is one that runs.
func made(end float64, plan ...buildspec.Job) *scheduler.Build {
	b := &scheduler.Build{
		Project: "api", Number: 7, Status: scheduler.Succeeded, Created: t0, Plan: &buildspec.Plan{Jobs: plan},
		Phases: []scheduler.Phase{
			{Name: "SUBMITTED", Status: scheduler.Succeeded, Started: t0, Took: seconds(0.25)},
			{Name: "DOWNLOAD_SOURCE", Status: scheduler.Succeeded, Started: at(0.25), Took: seconds(0.75)},
		},
	}
	if b.EndedAt = at(end); end == 0 {
		b.Status, b.EndedAt = scheduler.InProgress, time.Time{}
	}
	return b
}

func needs(id string, on ...string) buildspec.Job {
	return buildspec.Job{ID: id, DependsOn: on, Cache: &buildspec.Cache{}}
}

// ran is a job that was given its slot at a time: its sandbox took a second, then BUILD ran to half a second before its end.
func ran(id string, queued, began, ended float64) scheduler.Job {
	return scheduler.Job{
		ID: id, Name: id, State: scheduler.JobEnded, Status: scheduler.Succeeded, Queued: at(queued), Started: at(began), EndedAt: at(ended),
		Attempts: []scheduler.Attempt{try(1, began, ended)},
	}
}

func try(n int, began, ended float64) scheduler.Attempt {
	return scheduler.Attempt{
		Number: n, Status: scheduler.Succeeded, Started: at(began), EndedAt: at(ended), Phases: []scheduler.Phase{
			{Name: "PROVISIONING", Status: scheduler.Succeeded, Started: at(began), Took: time.Second},
			{Name: "BUILD", Status: scheduler.Succeeded, Started: at(began + 1), Took: seconds(ended - began - 1.5)},
			{Name: "COMPLETED", Status: scheduler.Succeeded, Started: at(ended)},
		},
	}
}

// told writes a path as "kind:job seconds", phases by their names.
func told(path []client.Step) string {
	var out []string
	for _, s := range path {
		word := s.Kind
		if s.Phase != "" {
			word = s.Phase
		}
		if s.Job != "" {
			word += ":" + s.Job
		}
		out = append(out, fmt.Sprintf("%s %g", word, math.Round(s.Seconds*1000)/1000))
	}
	return strings.Join(out, ", ")
}

func savings(e client.Explanation) string {
	var out []string
	for _, s := range e.Savings {
		most := ""
		if s.AtMost {
			most = "<="
		}
		out = append(out, fmt.Sprintf("%s %s%g", s.Kind, most, math.Round(s.Seconds*100)/100))
	}
	return strings.Join(out, ", ")
}

func waits(e client.Explanation) string {
	var out []string
	for _, w := range e.Waits {
		out = append(out, fmt.Sprintf("%s %g of %d, %g", w.Kind, math.Round(w.Seconds*1000)/1000, w.Jobs, math.Round(w.On*1000)/1000))
	}
	return strings.Join(out, "; ")
}

func TestOf(t *testing.T) {
	warm := scheduler.Starts{Warm: 100 * time.Millisecond, Warms: 9}
	withCommands := ran("a", 1, 1, 10)
	withCommands.Attempts[0].Commands = []runner.Command{
		{Phase: "BUILD", Text: "make", Began: at(2), Took: 3 * time.Second, Ended: true}, {Phase: "BUILD", Text: "make test", Began: at(5), Took: 4 * time.Second, Ended: true},
	}
	install := ran("a", 1, 1, 20)
	install.Attempts[0].Phases[1].Name = "INSTALL"
	again := ran("a", 6, 1, 12)
	again.Attempts = []scheduler.Attempt{try(1, 1, 5), try(2, 8, 12)}
	again.Attempts[0].Status, again.Attempts[0].Reason = scheduler.Fault, "sandbox_lost"
	short := ran("a", 1, 5, 14)
	short.Attempts[0].WaitedSpace, short.Attempts[0].WaitedDrain = 2*time.Second, time.Second/2
	taken := ran("a", 1, 1, 1)
	taken.TakenFrom, taken.Attempts = "api#6", nil
	grouped := made(20, needs("a"))
	grouped.Group = "deploy"
	approved := made(10, needs("a"))
	running := made(0, needs("a"), needs("b"))
	runs := ran("a", 1, 1, 9)
	runs.State, runs.Status, runs.EndedAt = scheduler.JobLeased, scheduler.InProgress, time.Time{}
	runs.Attempts[0].EndedAt, runs.Attempts[0].Status = time.Time{}, scheduler.InProgress
	runs.Attempts[0].Phases = runs.Attempts[0].Phases[:2]
	runs.Attempts[0].Phases[1].Status, runs.Attempts[0].Phases[1].Took = scheduler.InProgress, 0
	unplanned := made(3)
	unplanned.Status, unplanned.Phases[1].Status, unplanned.Plan = scheduler.Failed, scheduler.Failed, nil

	for name, c := range map[string]struct {
		in          Input
		path, waits string
		savings     string
	}{
		"one job": {
			Input{Build: made(10, needs("a")), Jobs: []scheduler.Job{ran("a", 1, 1, 10)}},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 7.5, finish:a 0.5", "", "warm <=1",
		},
		"a sandbox that waits takes 0.1 s": {
			Input{Build: made(10, needs("a")), Jobs: []scheduler.Job{ran("a", 1, 1, 10)}, Starts: warm},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 7.5, finish:a 0.5", "", "warm 0.9",
		},
		"it waited for others": {
			Input{Build: made(14, needs("a")), Jobs: []scheduler.Job{ran("a", 1, 5, 14)}, Starts: warm},
			"submitted 0.25, source 0.75, slot:a 4, start:a 1, BUILD:a 7.5, finish:a 0.5", "slot 4 of 1, 4", "slots 4, warm 0.9",
		},
		"a graph: the longer branch decides, and only its sandboxes would have saved anything": {
			Input{
				Build: made(20, needs("a"), needs("b"), needs("c", "a", "b")), Starts: warm,
				Jobs: []scheduler.Job{ran("a", 1, 1, 5), ran("b", 1, 1, 12), ran("c", 12, 12, 20)},
			},
			"submitted 0.25, source 0.75, start:b 1, BUILD:b 9.5, finish:b 0.5, start:c 1, BUILD:c 6.5, finish:c 0.5", "jobs 11 of 1, 0", "warm 1.8",
		},
		"a slot of its own build: the path goes through what held it": {
			Input{
				Build: made(21, needs("a"), needs("b")), Starts: warm, Slots: 1,
				Jobs: []scheduler.Job{ran("a", 1, 1, 11), ran("b", 1, 11, 21)},
			},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 8.5, finish:a 0.5, start:b 1, BUILD:b 8.5, finish:b 0.5", "slot 10 of 1, 10", "slots 10, warm 0.9",
		},
		"a fault, a pause and another attempt": {
			Input{Build: made(12, needs("a")), Jobs: []scheduler.Job{again}, Starts: warm},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 2.5, finish:a 0.5, retry:a 3, start:a 1, BUILD:a 2.5, finish:a 0.5", "retry 3 of 1, 3", "warm 1.8",
		},
		"no job was started for a while": {
			Input{Build: made(14, needs("a")), Jobs: []scheduler.Job{short}, Starts: warm},
			"submitted 0.25, source 0.75, drain:a 0.5, space:a 2, slot:a 1.5, start:a 1, BUILD:a 7.5, finish:a 0.5",
			"space 2 of 1, 2; slot 1.5 of 1, 1.5; drain 0.5 of 1, 0.5", "slots 1.5, warm 0.9",
		},
		"somebody had to approve it": {
			Input{Build: approved, Jobs: []scheduler.Job{ran("a", 1, 1, 10)}, Starts: warm, Approved: &scheduler.Approval{By: "ada", At: at(0.15)}},
			"approval 0.15, submitted 0.1, source 0.75, start:a 1, BUILD:a 7.5, finish:a 0.5", "approval 0.15 of 0, 0.15", "warm 0.9",
		},
		"its group": {
			Input{Build: grouped, Jobs: []scheduler.Job{ran("a", 11, 11, 20)}, Starts: warm},
			"submitted 0.25, source 0.75, group:a 10, start:a 1, BUILD:a 7.5, finish:a 0.5", "group 10 of 1, 10", "warm 0.9",
		},
		"the cache that it was not given": {
			Input{Build: made(10, needs("a")), Jobs: []scheduler.Job{withCommands}, Starts: scheduler.Starts{Warm: time.Second, Warms: 1}, Caches: map[string]time.Duration{"a": 3 * time.Second}},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 7.5, finish:a 0.5", "", "cache 3",
		},
		"no cache named": {
			Input{Build: made(20, buildspec.Job{ID: "a"}), Jobs: []scheduler.Job{install}, Starts: warm},
			"submitted 0.25, source 0.75, start:a 1, INSTALL:a 17.5, finish:a 0.5", "", "cache <=17.5, warm 0.9",
		},
		"a green build of the same tree": {
			Input{Build: made(10, needs("a")), Jobs: []scheduler.Job{ran("a", 1, 1, 10)}, Starts: warm, Green: &scheduler.Build{Project: "api", Number: 6}},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 7.5, finish:a 0.5", "", "green <=9, warm 0.9",
		},
		"all results were there": {
			Input{Build: made(1, needs("a")), Jobs: []scheduler.Job{taken}},
			"submitted 0.25, source 0.75", "", "",
		},
		"it runs": {
			Input{Build: running, Jobs: []scheduler.Job{runs, ran("b", 1, 1, 4)}, Now: at(9), Starts: warm},
			"submitted 0.25, source 0.75, start:a 1, BUILD:a 7", "", "warm 0.9",
		},
		"it could not be planned": {
			Input{Build: unplanned}, "submitted 0.25, source 2.75", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := Of(c.in)
			if got := told(e.Path); got != c.path {
				t.Errorf("the path is\n%s, want\n%s", got, c.path)
			}
			if got := waits(e); got != c.waits {
				t.Errorf("the waits are %s, want %s", got, c.waits)
			}
			if got := savings(e); got != c.savings {
				t.Errorf("the savings are %s, want %s", got, c.savings)
			}
			assertWhole(t, e)
		})
	}
	e := Of(Input{Build: made(10, needs("a")), Jobs: []scheduler.Job{withCommands}})
	if got := e.Path[3].Commands; len(got) != 2 || got[0].Text != "make" || got[0].Seconds != 3 || got[1].Seconds != 4 {
		t.Errorf("the commands of BUILD are %+v", got)
	}
}

// assertWhole holds that the steps follow each other from a build's beginning to its end.
func assertWhole(t *testing.T, e client.Explanation) {
	t.Helper()
	when, sum := e.Created, 0.0
	for i, s := range e.Path {
		if s.Started.Sub(when).Abs() > time.Microsecond {
			t.Errorf("step %d, %s, begins %s after the one before it ended", i, s.Kind, s.Started.Sub(when))
		}
		when, sum = s.Started.Add(seconds(s.Seconds)), sum+s.Seconds
	}
	if math.Abs(sum-e.Seconds) > 1e-6 {
		t.Errorf("the steps sum up to %g s, and the build took %g s", sum, e.Seconds)
	}
}

// sharded is a build of n shards that all ask for tests at 3 s, and whose suite is played by the real queue: each of the
// tests takes as long as it says.
func sharded(t *testing.T, n int, tests map[string]float64) Input {
	t.Helper()
	q, err := testqueue.Open(testqueue.Options{Workers: n}, at(3))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for name := range tests {
		names = append(names, name)
	}
	ends := make([]float64, n)
	worker := func(i int) string { return scheduler.WorkerOf("api#7", fmt.Sprintf("s%d", i), 1) }
	for i := range n {
		if ends[i] = 3; q.Join(worker(i), i, testqueue.Normalise(names), at(3)) != nil {
			t.Fatal(err)
		}
	}
	for left := true; left; {
		first := 0
		for i := range ends {
			if ends[i] < ends[first] {
				first = i
			}
		}
		offer, err := q.Take(worker(first), 0, at(ends[first]))
		if err != nil {
			t.Fatal(err)
		}
		if left = offer.Batch != nil; !left {
			break
		}
		done := testqueue.Completion{Outcome: testqueue.Passed}
		for _, name := range offer.Batch.Items {
			ends[first] += tests[name]
			done.Results = append(done.Results, testqueue.Result{Item: name, Outcome: testqueue.Passed, Took: seconds(tests[name])})
			done.Took += seconds(tests[name])
		}
		if _, err := q.Complete(worker(first), offer.Batch.Token, done, at(ends[first])); err != nil {
			t.Fatal(err)
		}
	}
	run := scheduler.TestRun{Phase: "BUILD", Shards: n, Joined: q.Joined()}
	run.Real, run.Known = q.Times()
	for _, b := range q.Ran() {
		run.Batches = append(run.Batches, scheduler.TestBatch{Worker: b.Worker, Began: b.Began, Ended: b.Ended, Items: b.Items})
	}
	last := 0.0
	for _, end := range ends {
		last = max(last, end)
	}
	in := Input{Build: made(last + 1), Tests: []scheduler.TestRun{run}, Starts: scheduler.Starts{Warm: time.Second, Warms: 1}}
	for i := range n {
		j := ran(fmt.Sprintf("s%d", i), 1, 1, last+1-float64(i)/100)
		j.Shard, j.Shards = i, n
		in.Jobs, in.Build.Plan.Jobs = append(in.Jobs, j), append(in.Build.Plan.Jobs, needs(j.ID))
	}
	return in
}

func TestMoreShards(t *testing.T) {
	even := map[string]float64{}
	for i := range 64 {
		even[fmt.Sprintf("t%02d", i)] = 1
	}
	in := sharded(t, 4, even)
	e := Of(in)
	// 64 s of tests: 16 s on 4 shards, and 4 s on the 16 that are looked at most.
	if len(e.Savings) != 1 || e.Savings[0].Kind != client.SaveShards || math.Abs(e.Savings[0].Seconds-12) > 1.5 || !strings.Contains(e.Savings[0].Do, "16") {
		t.Errorf("more shards save %+v, want about 12 s with 16", e.Savings)
	}
	assertWhole(t, e)

	for i := range in.Tests[0].Real {
		in.Tests[0].Real[i].Known = i%2 == 0
	}
	if e := Of(in); !e.Savings[0].AtMost {
		t.Errorf("half of the times are divided evenly, and it says %+v", e.Savings[0])
	}
	e = Of(sharded(t, 4, map[string]float64{"long": 30, "a": 1, "b": 1, "c": 1, "d": 1}))
	if len(e.Savings) != 0 || len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "long alone took 30.0 s") {
		t.Errorf("of a suite with one long test it says %+v and %q", e.Savings, e.Notes)
	}
	assertWhole(t, e)
}

// TestThePathGoesThroughTheTestsThatAShardWaitedFor: s0 ends last, and had nothing to do while s1 ran the long test.
func TestThePathGoesThroughTheTestsThatAShardWaitedFor(t *testing.T) {
	batch := func(shard string, began, ended float64) scheduler.TestBatch {
		return scheduler.TestBatch{Worker: scheduler.WorkerOf("api#7", shard, 1), Began: at(began), Ended: at(ended), Items: []string{"x"}}
	}
	in := Input{Build: made(20, needs("s0"), needs("s1")), Jobs: []scheduler.Job{ran("s0", 1, 1, 20), ran("s1", 1, 1, 15)}}
	in.Tests = []scheduler.TestRun{{
		Phase: "BUILD", Shards: 2, Batches: []scheduler.TestBatch{batch("s0", 3, 5), batch("s1", 4, 14)},
		Joined: map[string]time.Time{scheduler.WorkerOf("api#7", "s0", 1): at(3), scheduler.WorkerOf("api#7", "s1", 1): at(4)},
	}}
	for i := range in.Jobs {
		in.Jobs[i].Shards = 2
	}
	e := Of(in)
	if got, want := told(e.Path), "submitted 0.25, source 0.75, start:s1 1, BUILD:s1 12, BUILD:s0 5.5, finish:s0 0.5"; got != want {
		t.Errorf("the path is %s, want %s", got, want)
	}
	if tests := e.Path[3].Tests; tests == nil || tests.Tests != 1 || tests.Seconds != 10 {
		t.Errorf("the tests of s1 are %+v, want one of 10 s", tests)
	}
	assertWhole(t, e)
}

// TestAModelThatDoesNotHoldGivesNoFigures: the rows say that the suite took four times what its tests did.
func TestAModelThatDoesNotHoldGivesNoFigures(t *testing.T) {
	in := sharded(t, 2, map[string]float64{"a": 8, "b": 8, "c": 8, "d": 8})
	for i := range in.Tests[0].Real {
		in.Tests[0].Real[i].Took /= 4
	}
	e := Of(in)
	if len(e.Savings) != 0 || len(e.Notes) == 0 || !strings.Contains(e.Notes[0], "played again") {
		t.Errorf("it says %+v and %q", e.Savings, e.Notes)
	}
}

func TestWhoHeldTheSlots(t *testing.T) {
	held := func(id string) Held { return Held{Build: id, Began: at(0), Ended: at(50)} }
	in := Input{Build: made(14, needs("a")), Jobs: []scheduler.Job{ran("a", 1, 5, 14)}, Slots: 4, Held: []Held{held("api#7"), held("web#1"), held("web#1"), held("api#5")}}
	for _, c := range []struct {
		hide    bool
		maxJobs int
		want    string
	}{
		{false, 0, "4 of 4 in use: 1 by this build, 2 by web#1, 1 by api#5"},
		{false, 2, "the project may have 2 at once; held: 1 by this build, 2 by web#1, 1 by api#5"},
		{true, 0, "1 by this build, 1 by api#5, others by other projects"},
	} {
		in.MaxJobs = c.maxJobs
		if c.hide {
			in.Held[1].Build, in.Held[2].Build = "", ""
		}
		if got := Of(in).Waits[0].Text; got != c.want {
			t.Errorf("it says %q, want %q", got, c.want)
		}
	}
}

// TestALongChainIsBounded: ten thousand jobs one after the other, each step of which decided.
// TestJobsThatWaitAreCountedAsSlots holds that a build none of whose jobs was given a slot yet is told how many it could use at once.
func TestJobsThatWaitAreCountedAsSlots(t *testing.T) {
	waits := func(id string, state scheduler.JobState) scheduler.Job {
		return scheduler.Job{ID: id, Name: id, State: state, Queued: at(1)}
	}
	e := Of(Input{
		Build: made(0, needs("a"), needs("b"), needs("c", "a")), Now: at(9),
		Jobs: []scheduler.Job{waits("a", scheduler.JobQueued), waits("b", scheduler.JobQueued), waits("c", scheduler.JobBlocked)},
	})
	if got := savings(e); got != "slots 8" || e.Savings[0].Text != "a slot for each of its jobs at once: 2" {
		t.Errorf("the savings are %s, %+v", got, e.Savings)
	}
}

func TestALongChainIsBounded(t *testing.T) {
	const n = 10_000
	in := Input{Build: made(1 + 2*n)}
	for i := range n {
		job := needs(fmt.Sprint(i))
		if i > 0 {
			job.DependsOn = []string{fmt.Sprint(i - 1)}
		}
		in.Build.Plan.Jobs = append(in.Build.Plan.Jobs, job)
		in.Jobs = append(in.Jobs, ran(job.ID, float64(1+2*i), float64(1+2*i), float64(3+2*i)))
	}
	e := Of(in)
	if len(e.Path) != maxSteps || e.Path[0].Kind != client.StepMany {
		t.Errorf("the path has %d steps and begins with %+v", len(e.Path), e.Path[0])
	}
	assertWhole(t, e)
}

// TestNothingIsSaidOfMoreShardsThanCanBePlayed: for those that there are it is known, and no more.
func TestNothingIsSaidOfMoreShardsThanCanBePlayed(t *testing.T) {
	tests := map[string]float64{}
	for i := range maxWork/4 - 1 {
		tests[fmt.Sprint("t", i)] = 0.01
	}
	e := Of(sharded(t, 4, tests))
	for _, s := range e.Savings {
		if s.Kind == client.SaveShards {
			t.Errorf("it says %+v", s)
		}
	}
	if len(e.Notes) != 0 {
		t.Errorf("it notes %q", e.Notes)
	}
}
