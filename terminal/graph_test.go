package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
)

func planJob(id string, after ...string) buildspec.Job {
	return buildspec.Job{ID: id, Name: id, Buildspec: "buildspec.yml", Version: "0.2", Shell: "sh", DependsOn: after}
}

func TestStepsAreThoseOfTheLongestWay(t *testing.T) {
	for name, c := range map[string]struct {
		jobs []buildspec.Job
		want []int
	}{
		"diamond":         {[]buildspec.Job{planJob("d", "b", "c"), planJob("b", "a"), planJob("c", "b"), planJob("a")}, []int{3, 1, 2, 0}},
		"none":            {[]buildspec.Job{planJob("a"), planJob("b")}, []int{0, 0}},
		"unknown":         {[]buildspec.Job{planJob("a", "lost")}, []int{0}},
		"named twice":     {[]buildspec.Job{planJob("a"), planJob("b", "a", "a")}, []int{0, 1}},
		"circle comes up": {[]buildspec.Job{planJob("a"), planJob("b", "c"), planJob("c", "b"), planJob("d", "a")}, []int{0, 2, 2, 1}},
	} {
		if got := stepsOf(c.jobs); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// sharded are the shards of one job.
func sharded(stem string, n int, after ...string) []buildspec.Job {
	jobs := make([]buildspec.Job, n)
	for i := range jobs {
		jobs[i] = planJob(fmt.Sprint(stem, i+1), after...)
		jobs[i].Shard, jobs[i].Shards = i, n
	}
	return jobs
}

func TestPlanFoldsShardsAndTellsEqualJobsOnce(t *testing.T) {
	jobs := slices.Concat(sharded("unit", 4), sharded("slow", 2), []buildspec.Job{planJob("deploy", "unit1", "unit2", "unit3", "unit4", "slow1")})
	jobs[6].Phases = []buildspec.Phase{{Name: "BUILD", Commands: make([]buildspec.Command, 3)}}
	jobs[6].Image = "alpine"
	var b bytes.Buffer
	Plan(New(&b), &buildspec.Plan{Batch: "graph", Jobs: jobs}, tree.Verdict{File: "buildspec.yml", Valid: true})
	got := b.String()
	for _, want := range []string{
		"buildspec.yml: graph of 7 jobs in 2 steps\n", "   1   unit1…4 (4 shards)", "   1   slow1…2 (2 shards)",
		"   2   deploy               unit1…4 (4 shards), slow1   alpine\n",
		"unit1…4 (4 shards), slow1…2 (2 shards)\n  nothing", "deploy\n  BUILD   3 commands\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestLargePlansAreBounded(t *testing.T) {
	var jobs []buildspec.Job
	for i := range 2000 {
		j := planJob(fmt.Sprintf("m_%d_x", i))
		j.Phases = []buildspec.Phase{{Name: "BUILD", RunAs: fmt.Sprint("user", i), Commands: make([]buildspec.Command, 1)}}
		for k := range min(i, 40) {
			j.DependsOn = append(j.DependsOn, jobs[k].ID)
		}
		jobs = append(jobs, j)
	}
	plan := &buildspec.Plan{Batch: "matrix", Jobs: jobs}
	var text, picture bytes.Buffer
	Plan(New(&text), plan, tree.Verdict{File: "b.yml"})
	Mermaid(New(&picture), plan)
	if n := strings.Count(text.String(), "\n"); n > 150 || !strings.Contains(text.String(), "and 1,950 more jobs") {
		t.Errorf("the text has %d lines:\n%s", n, text.String())
	}
	if n := strings.Count(picture.String(), "-->"); n != maxEdges || picture.Len() > 50_000 || !strings.Contains(picture.String(), "and 1,850 more jobs") {
		t.Errorf("the picture has %d arrows and %d bytes", n, picture.Len())
	}
}

func TestMermaidTakesNoNameForItsOwnLanguage(t *testing.T) {
	j := planJob("a")
	j.Image = "x\"];\nclick n0 href `<script>`#quot; --> \x1b[31m"
	j.IgnoreFailure = true
	var b bytes.Buffer
	Mermaid(New(&b), &buildspec.Plan{Jobs: []buildspec.Job{j}})
	want := "flowchart LR\n    n0(\"a<br/>x#34;#93;#59; click n0 href #96;#60;script#62;#96;#35;quot#59; --#62;<br/>may fail\")\n"
	if b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
}

// verdicts are a wrong file, one with a warning in another file, and one that could not be read.
func verdicts() []tree.Verdict {
	return []tree.Verdict{
		{File: "../b.yml", Path: "ci/b, 1:2%.yml", Kind: tree.KindBuildspec, Problems: []buildspec.Problem{
			{File: "../b.yml", Line: 5, Column: 9, Severity: buildspec.SeverityError, Message: "100% wrong\r\n::stop", Hint: "mend: it, now"},
			{File: "ci/other.yml", Line: 1, Column: 1, Severity: buildspec.SeverityWarning, Message: "doubtful"},
		}},
		{File: "c.yml", Path: "c.yml", Kind: tree.KindConfiguration, Trouble: "there is no file c.yml", Err: errors.New("x")},
		{File: "d.yml", Path: "d.yml", Kind: tree.KindBuildspec, Valid: true, Problems: []buildspec.Problem{}},
		{File: "q.yml", Path: "q.yml", Kind: tree.KindQuarantine, Valid: true, Problems: []buildspec.Problem{
			{File: "q.yml", Line: 3, Column: 1, Severity: buildspec.SeverityWarning, Message: "it ended"},
		}},
	}
}

func TestAnnotationsAreOneCommandEach(t *testing.T) {
	var b bytes.Buffer
	Annotations(New(&b), verdicts())
	want := "::error file=ci/b%2C 1%3A2%25.yml,line=5,col=9,title=buildspec error::100%25 wrong%0A%0A::stop%0Ahint: mend: it, now\n" +
		"::warning file=ci/other.yml,line=1,col=1,title=buildspec warning::doubtful\n" +
		"::error file=c.yml,title=configuration error::there is no file c.yml\n" +
		"::warning file=q.yml,line=3,col=1,title=quarantine warning::it ended\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestSARIFHasWhatCodeScanningNeeds reads the log back as a consumer does: every result refers to a rule, lies in a file
// of the repository and has a region that counts from 1.
func TestSARIFHasWhatCodeScanningNeeds(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, "1.0", verdicts()); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 3 {
		t.Fatalf("got %+v", log)
	}
	run := log.Runs[0]
	for i, want := range []struct{ rule, level, uri string }{
		{"buildspec/error", "error", "ci/b,%201:2%25.yml"}, {"buildspec/warning", "warning", "ci/other.yml"}, {"quarantine/warning", "warning", "q.yml"},
	} {
		r := run.Results[i]
		at := r.Locations[0].Physical
		if r.Rule != want.rule || run.Tool.Driver.Rules[r.Index].ID != r.Rule || r.Level != want.level || at.Artifact.URI != want.uri || at.Artifact.Base != sarifRoot || at.Region.Line < 1 || at.Region.Column < 1 {
			t.Errorf("result %d: %+v, want %+v", i, r, want)
		}
	}
	call := run.Invocations[0]
	if call.Successful || len(call.Notifications) != 1 || call.Notifications[0].Locations[0].Physical.Region != nil {
		t.Errorf("the file that was not read: %+v", call)
	}
	for file, want := range map[string]string{"/tmp/a b.yml": "file:///tmp/a%20b.yml", "c:d.yml": "./c:d.yml", "<stdin>": "%3Cstdin%3E"} {
		if got := sarifAt(file, buildspec.Problem{}).Physical.Artifact.URI; got != want {
			t.Errorf("the URI of %s is %s, want %s", file, got, want)
		}
	}
}
