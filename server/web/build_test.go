package web

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestVerdicts(t *testing.T) {
	ended := func(status string) client.Job { return client.Job{ID: "a", Name: "a", Status: status, State: "ended"} }
	failed := ended("FAILED")
	failed.Reason, failed.Command, failed.Exit, failed.Phases = "command_failed", "make", 2, []client.Phase{{Name: "BUILD", Status: "FAILED"}}
	ignored := failed
	ignored.Ignored = true
	running := client.Job{ID: "r", Name: "r", Status: "IN_PROGRESS", State: "leased", Phase: "BUILD", Command: "make test\nmore"}
	held := running
	held.Paused = noon
	waiting := client.Job{ID: "w", Name: "w", Status: "IN_PROGRESS", State: "queued", Why: "waits for a slot"}
	skipped := ended("FAILED")
	skipped.Reason = "dependency_failed"
	for want, b := range map[string]client.Build{
		"ok Passed: 2 jobs, in 3.0 s":                                 {Status: "SUCCEEDED", Seconds: 3, Jobs: []client.Job{ended("SUCCEEDED"), ended("SUCCEEDED")}},
		"ok Passed: 1,204 tests, 3 skipped, 1 flaky, in 2m 07s":       {Status: "SUCCEEDED", Seconds: 127, Tests: &client.BuildTests{Passed: 1203, Flaky: 1, Skipped: 3, Total: 1207}, Jobs: []client.Job{ended("SUCCEEDED")}},
		"ok Passed: 1 job failed, which is ignored, in 1.0 s":         {Status: "SUCCEEDED", Seconds: 1, Jobs: []client.Job{ignored}},
		"no Failed: a command in BUILD ended with status 2":           {Status: "FAILED", Jobs: []client.Job{failed, skipped, ignored}},
		"no Failed: 2 of 2 jobs failed":                               {Status: "FAILED", Jobs: []client.Job{failed, failed}},
		"no Failed: 2 tests failed":                                   {Status: "FAILED", Tests: &client.BuildTests{Failed: 1, Error: 1}, Jobs: []client.Job{failed}},
		"no Failing: 1 test failed, 1 job still runs":                 {Status: "IN_PROGRESS", Tests: &client.BuildTests{Failing: true, Failures: make([]client.TestFailure, 1)}, Jobs: []client.Job{failed, running}},
		"run Running: BUILD: make test":                               {Status: "IN_PROGRESS", Jobs: []client.Job{running}},
		"run Running: 1 of 2 jobs done":                               {Status: "IN_PROGRESS", Jobs: []client.Job{ended("SUCCEEDED"), running}},
		"run Waiting: waits for a slot":                               {Status: "IN_PROGRESS", Jobs: []client.Job{waiting}},
		"run Beginning: the source is fetched and the buildspec read": {Status: "IN_PROGRESS"},
		"flk Held: 1 job waits at a breakpoint":                       {Status: "IN_PROGRESS", Jobs: []client.Job{held}},
		"st Stopped: stopped by ann":                                  {Status: "STOPPED", Message: "stopped by ann"},
		"no Broken machine: the daemon's disk is full":                {Status: "FAULT", Reason: "disk_full", Message: "no space"},
		"no Failed: line 3 is wrong":                                  {Status: "FAILED", Reason: "buildspec", Message: "line 3 is wrong"},
	} {
		v := judge(b)
		if got := v.Class + " " + v.Word + ": " + v.Rest; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAFaultTellsWhatTheMachineSaid(t *testing.T) {
	b := client.Build{Status: "FAULT", Reason: "disk_full", Message: "no space left in /var/lib/docker"}
	if v := judge(b); v.Detail != b.Message {
		t.Errorf("the page says %q, not what the machine said", v.Detail)
	}
	b.Reason = "a reason that this version does not know"
	if v := judge(b); v.Rest != b.Message || v.Detail != "" {
		t.Errorf("the message is said as %q and %q", v.Rest, v.Detail)
	}
}

func TestOfManyJobsThoseThatFailedAreAtHand(t *testing.T) {
	jobs := manyJobs(60)
	for i := range jobs {
		jobs[i].Status = "SUCCEEDED"
	}
	jobs[30].Status, jobs[50].Status = "FAILED", "FAILED"
	tabs := tabsOf(jobs, &jobs[50])
	if len(tabs) != mostTabs || tabs[0].ID != jobs[50].ID || tabs[1].ID != jobs[30].ID {
		t.Errorf("%d tabs begin with %s and %s", len(tabs), tabs[0].ID, tabs[1].ID)
	}
	if few := tabsOf(jobs[:4], &jobs[2]); len(few) != 4 || few[0].ID != jobs[0].ID {
		t.Errorf("few jobs are not in their order: %d, %s first", len(few), few[0].ID)
	}
}

func TestWhatABuildMends(t *testing.T) {
	const main, other = "refs/heads/main", "refs/heads/other"
	build := func(n int, ref, status string) client.Build {
		return client.Build{ID: fmt.Sprintf("api#%d", n), Number: n, Ref: ref, Status: status}
	}
	past := []client.Build{
		build(12, main, "SUCCEEDED"), // later than the one that is looked at
		build(10, main, "FAILED"), build(9, other, "SUCCEEDED"), build(8, main, "FAULT"), build(7, main, "STOPPED"),
		build(6, main, "SUCCEEDED"), build(5, main, "FAILED"), build(4, main, "SUCCEEDED"),
	}
	if m := mended(build(11, main, "SUCCEEDED"), past); m == nil || m.Number != 10 {
		t.Errorf("what passed after #10 mends %+v", m)
	}
	if m := mended(build(7, main, "SUCCEEDED"), past); m != nil {
		t.Errorf("what passed after #6 mends %+v", m)
	}
}

func TestTheTimelineOfABuild(t *testing.T) {
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	b := client.Build{Created: noon, Started: at(1), Ended: at(20), Seconds: 20, Phases: []client.Phase{{Name: "DOWNLOAD_SOURCE", Status: "SUCCEEDED", Started: noon, Seconds: 1}},
		Jobs: []client.Job{
			{ID: "a", Name: "a", Status: "SUCCEEDED", Queued: at(1), Started: at(5), Ended: at(10), Seconds: 5, Warm: true,
				Phases:   []client.Phase{{Name: "BUILD", Status: "SUCCEEDED", Started: at(6), Seconds: 4}},
				Commands: []client.Command{{Phase: "BUILD", Text: "make", Started: at(6), Ended: at(10), Seconds: 4}}},
			{ID: "b", Name: "b", Status: "FAILED", Queued: at(1), Started: at(1), Ended: at(8), Seconds: 7},
			{ID: "c", Name: "c", Status: "SUCCEEDED", DependsOn: []string{"a", "b"}, Queued: at(10), Started: at(10), Ended: at(20), Seconds: 10},
		}}
	line := timelineOf(b, 0, at(60), mostBars)
	if len(line.Lanes) != 4 || !line.Crit || !line.Lanes[1].Critical || line.Lanes[2].Critical || !line.Lanes[3].Critical {
		t.Fatalf("lanes: %+v", line.Lanes)
	}
	bars := line.Lanes[1].Bars
	if len(bars) != 3 || bars[0].Class != "wait" || bars[0].X != "5.00%" || bars[0].Width != "20.00%" || !bars[1].Thin || bars[2].X != "30.00%" || bars[2].Cmd != "make" || line.Lanes[1].Note != "warm" {
		t.Errorf("bars: %+v", bars)
	}
	if len(line.Ticks) != 5 || line.Ticks[1].Text != "5s" || line.Ticks[4].Anchor != "end" {
		t.Errorf("ticks: %+v", line.Ticks)
	}
	if rows := line.rows(); len(rows) != 3 || rows[2].Command != "make" || rows[2].At != "6.0 s" {
		t.Errorf("rows: %+v", rows)
	}
	b.Ended, b.Seconds, b.Jobs[2].Ended = time.Time{}, 15, time.Time{}
	b.Jobs[2].Phases = []client.Phase{{Name: "BUILD", Status: "IN_PROGRESS", Started: at(11), Seconds: 4}}
	if line = timelineOf(b, 0, at(15), mostBars); line.Span <= 16 || !line.Lanes[3].Bars[0].Grows || line.Lanes[3].Since.IsZero() {
		t.Errorf("of a build that runs: %+v", line)
	}
}

func TestOfManyCommandsTheLongestHaveBars(t *testing.T) {
	var commands []client.Command
	for i := range 100 {
		commands = append(commands, client.Command{Index: i, Started: noon.Add(time.Duration(i) * time.Second), Ended: noon.Add(time.Hour), Seconds: float64(i % 10)})
	}
	commands[40].Exit, commands[99].Ended = 1, time.Time{}
	got := longest(commands, 12)
	if len(got) != 12 || got[0].Index != 8 || got[5].Index != 40 || got[11].Index != 99 {
		t.Errorf("%+v", got)
	}
}

func manyJobs(n int) (jobs []client.Job) {
	jobs = []client.Job{{ID: "begin", Name: "begin", Status: "SUCCEEDED", State: "ended", Started: noon, Ended: noon.Add(time.Second)}}
	var shards []string
	for i := range n {
		j := client.Job{ID: fmt.Sprintf("shard%d", i), Name: fmt.Sprintf("shard %d/%d", i+1, n), Status: "SUCCEEDED", State: "ended", DependsOn: []string{"begin"}, Started: noon, Seconds: float64(i), Ended: noon.Add(time.Duration(i) * time.Second)}
		if i == 3 {
			j.Status = "FAILED"
		}
		jobs, shards = append(jobs, j), append(shards, j.ID)
	}
	return append(jobs, client.Job{ID: "end", Name: "end", State: "blocked", DependsOn: shards})
}

func TestAGraphOfManyJobsIsSmall(t *testing.T) {
	if graphOf(manyJobs(1)[:1]) != nil {
		t.Error("one job has a graph")
	}
	g := graphOf(manyJobs(3))
	if len(g.Nodes) != 5 || len(g.Edges) != 6 || g.Nodes[0].X >= g.Nodes[1].X || g.Nodes[1].X >= g.Nodes[4].X {
		t.Errorf("of five jobs: %+v", g)
	}
	g = graphOf(manyJobs(200))
	if len(g.Nodes) != 3 || len(g.Edges) != 2 || g.Nodes[1].Name != "shard × 200" || g.Nodes[1].Note != "199/200" || g.Nodes[1].Job != "shard3" || g.Nodes[1].Status != "FAILED" {
		t.Errorf("of 202 jobs: %+v", g.Nodes)
	}
	lanes := lanesOf(manyJobs(200), nil)
	if len(lanes) != mostLanes || !slices.ContainsFunc(lanes, func(j *client.Job) bool { return j.ID == "shard3" }) || !slices.ContainsFunc(lanes, func(j *client.Job) bool { return j.ID == "shard199" }) {
		t.Errorf("%d lanes, without the job that failed or the one that took longest", len(lanes))
	}
	free := manyJobs(20)[1:21]
	for i := range free {
		free[i].DependsOn = nil
	}
	if g = graphOf(free); g.Width > freeColumns*(nodeWidth+nodeGapX) || len(g.Nodes) != 20 {
		t.Errorf("jobs that wait for nothing take %d px", g.Width)
	}
}

func TestTheEndOfALogIsFolded(t *testing.T) {
	const stamp = "[Container] 2026/11/26 06:51:31.671973 "
	lines := client.LogLines{First: 11, Attempt: 1, Lines: []string{
		stamp + "Entering phase BUILD", stamp + "Running command make", "made", stamp + "Running command false", "\x1b[31mno\x1b[0m", strings.Repeat("x", 9000), stamp + "Phase complete: BUILD", stamp + "Uploading",
	}}
	sections := []client.LogSection{{Kind: "phase", First: 11, Lines: 8}, {Kind: "command", Text: "make", First: 12, Lines: 2}, {Kind: "command", Text: "false", First: 14, Lines: 5, Exit: 1}}
	tail := logTail{Build: "api#1", Attempt: 1, Job: &client.Job{ID: "build"}}
	tail.fold(lines, sections)
	var got []string
	for _, p := range tail.Parts {
		name := "ours"
		if p.Command != nil {
			name = p.Command.Text
		}
		got = append(got, fmt.Sprintf("%s %d %v", name, len(p.Lines), p.Open))
	}
	if want := "ours 1 false, make 2 false, false 3 true, ours 2 false"; strings.Join(got, ", ") != want {
		t.Errorf("parts %v, want %s", got, want)
	}
	cause := tail.Cause().Lines
	if len(cause) != 2 || !strings.Contains(string(cause[0].Text), ">no</span>") || len(cause[1].Text) > lineClip+10 || !strings.HasSuffix(tail.Cause().Path, "#L16") {
		t.Errorf("the cause is %+v", cause)
	}
	if tail.Parts[0].Name() != "Entering phase BUILD" || tail.Parts[2].ID() != "part-14" {
		t.Errorf("the parts are called %q, %q", tail.Parts[0].Name(), tail.Parts[2].ID())
	}
}

func TestWhereForgesShowACommit(t *testing.T) {
	for _, c := range []struct{ url, forge, want string }{
		{"https://user:secret@github.com/o/r.git", "", "https://github.com/o/r/commit/abc"},
		{"git@github.com:o/r.git", "", "https://github.com/o/r/commit/abc"},
		{"ssh://git@gitlab.example.com:2222/g/s/r.git", "gitlab", "https://gitlab.example.com/g/s/r/-/commit/abc"},
		{"https://bitbucket.org/o/r", "", "https://bitbucket.org/o/r/commits/abc"},
		{"https://git.example.com/o/r.git", "", ""},
		{"https://git.example.com/o/r.git", "forgejo", "https://git.example.com/o/r/commit/abc"},
		{"file:///srv/r.git", "gitea", ""},
		{"javascript:alert(1)", "github", ""},
	} {
		if got := commitLink(&client.Project{URL: c.url, Forge: c.forge}, "abc"); got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
}

func TestFilesBecomeATree(t *testing.T) {
	files := []client.ArtifactFile{{Path: "a", Mode: uint32(fs.ModeDir)}, {Path: "a/b/one"}, {Path: "a/b/two"}, {Path: "a/three"}, {Path: "zero"}, {Path: strings.Repeat("d/", 40) + "deep"}}
	root := treeOf(files, "/page?job=x", "a/b/two")
	a := root.Folders[0]
	if root.Count != 5 || a.Count != 3 || !a.Open || !a.Folders[0].Open || !a.Folders[0].Files[1].Current || a.Folders[0].Files[1].Page != "/page?job=x&path=a%2Fb%2Ftwo" || root.Files[0].Name != "zero" {
		t.Errorf("%+v", root)
	}
	depth := 0
	for at := root.Folders[1]; len(at.Folders) > 0; at = at.Folders[0] {
		depth++
	}
	if depth > deepest {
		t.Errorf("the tree is %d deep", depth)
	}
}

func TestPreviewsOfTextAndReports(t *testing.T) {
	for text, want := range map[string]string{"plain\n": "text", "a\x00b": "none", "\xff\xfe": "none"} {
		p := preview{ArtifactFile: client.ArtifactFile{Size: int64(len(text))}, Kind: "none"}
		if p.show([]byte(text)); p.Kind != want {
			t.Errorf("%q is shown as %s, want %s", text, p.Kind, want)
		}
	}
	long := strings.Repeat("é", mostText)
	p := preview{ArtifactFile: client.ArtifactFile{Size: int64(len(long) + 1)}}
	if p.show([]byte("x" + long)[:mostText]); p.Kind != "text" || !p.Cut {
		t.Errorf("a long text, cut within a character, is shown as %s", p.Kind)
	}
	suites := readJUnit([]byte(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><testsuites><testsuite name="s"><testcase name="ok"/><testcase name="bad"><failure>why
more</failure></testcase></testsuite></testsuites>`))
	if len(suites) != 1 || suites[0].Cases[0].Name != "bad" || suites[0].Cases[0].Message() != "why" || suites[0].Cases[1].Status() != "SUCCEEDED" {
		t.Errorf("a report of JUnit: %+v", suites)
	}
	for _, none := range []string{"", "<html/>", "<testsuite><testcase>&e;", strings.Repeat("<testsuite>", 20000)} {
		if got := readJUnit([]byte(none)); got != nil {
			t.Errorf("%.40q is taken for a report: %+v", none, got)
		}
	}
}
