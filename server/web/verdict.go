package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

// verdict is the first thing that a page says of a build: in a word, in a sentence, and whose fault it is.
type verdict struct {
	Class  string // of the word: ok, no, run, st
	Word   string // "Failing"
	Rest   string // "2 tests failed, 1 job still runs"
	Blame  string // whose fault it is, where that is not plain
	Detail string // what the machine said, of one that was at fault
	Advice string // what to do, where no command says it
}

// Border is the class of the box around the verdict.
func (v verdict) Border() string {
	return map[string]string{"ok": "good-b", "no": "bad-b", "run": "busy-b", "flk": "warn-b"}[v.Class]
}

// judge says how it stands with a build.
func judge(b client.Build) verdict {
	c := countJobs(b.Jobs)
	v := verdict{Class: class(b.Status)}
	switch b.Status {
	case "SUCCEEDED":
		v.Word, v.Rest = "Passed", passedText(b, c)
	case "IN_PROGRESS":
		v = judgeRunning(b, c)
	case "STOPPED":
		v.Word, v.Rest = "Stopped", cmp.Or(b.Message, meaning(b.Reason))
	case "TIMED_OUT":
		v.Word, v.Rest = "Timed out", cmp.Or(b.Message, meaning(b.Reason))
		v.Advice = "limits.timeout and limits.queue-timeout say how long a job may take and wait"
	case "FAULT":
		v.Word, v.Rest = "Broken machine", cmp.Or(meaning(b.Reason), b.Message)
		v.Blame = "Not the code's fault: the daemon, the machine or something beside it failed."
		if b.Message != v.Rest {
			v.Detail = b.Message
		}
		v.Advice = "Retry it once that is mended"
	default:
		v.Word, v.Rest = "Failed", failedText(b, c)
		if b.Reason != "" && b.Reason != "command_failed" {
			v.Blame = asSentence(meaning(b.Reason))
		}
	}
	return v
}

// judgeRunning says how it stands with a build that goes on: one that cannot succeed any more is failing.
func judgeRunning(b client.Build, c jobCounts) verdict {
	still := plural(c.running+c.waiting, "job") + " still " + verb(c.running+c.waiting, "runs", "run")
	switch failing := b.Tests != nil && b.Tests.Failing; {
	case c.failed > 0 || failing:
		text := failedText(b, c)
		if c.running+c.waiting > 0 && len(b.Jobs) > 1 {
			text += ", " + still
		}
		return verdict{Class: "no", Word: "Failing", Rest: text}
	case c.paused > 0:
		return verdict{Class: "flk", Word: "Held", Rest: plural(c.paused, "job") + " " + verb(c.paused, "waits", "wait") + " at a breakpoint", Advice: "runner resume " + b.ID + " lets it go on"}
	case c.running == 0 && c.why != "":
		return verdict{Class: "run", Word: "Waiting", Rest: c.why}
	case len(b.Jobs) == 0:
		return verdict{Class: "run", Word: "Beginning", Rest: "the source is fetched and the buildspec read"}
	}
	text := fmt.Sprintf("%d of %s done", c.passed, plural(len(b.Jobs), "job"))
	if len(b.Jobs) == 1 {
		text = runningText(b.Jobs[0])
	}
	return verdict{Class: "run", Word: "Running", Rest: text}
}

func runningText(j client.Job) string {
	if j.Command != "" {
		return j.Phase + ": " + clip(firstLine(j.Command), 60)
	}
	return cmp.Or(j.Phase, j.Why, "begins")
}

func passedText(b client.Build, c jobCounts) string {
	var parts []string
	if t := b.Tests; t != nil && t.Total > 0 {
		parts = append(parts, number(t.Passed+t.Flaky)+" "+verb(t.Passed+t.Flaky, "test", "tests"))
		if t.Skipped > 0 {
			parts = append(parts, number(t.Skipped)+" skipped")
		}
		if t.Flaky > 0 {
			parts = append(parts, number(t.Flaky)+" flaky")
		}
	} else if len(b.Jobs) > 1 {
		parts = append(parts, plural(c.passed, "job"))
	}
	if c.ignored > 0 {
		parts = append(parts, plural(c.ignored, "job")+" failed, which is ignored")
	}
	return strings.Join(append(parts, "in "+took(b.Seconds)), ", ")
}

// failedText says what failed: tests, else the command, else jobs.
func failedText(b client.Build, c jobCounts) string {
	if n := failedTests(b.Tests); n > 0 {
		return number(n) + " " + verb(n, "test", "tests") + " failed"
	}
	j := firstFailed(b.Jobs)
	switch {
	case c.failed > 1:
		return fmt.Sprintf("%d of %s failed", c.failed, plural(len(b.Jobs), "job"))
	case j == nil:
		return cmp.Or(b.Message, meaning(b.Reason), "no job was made")
	case j.Reason == "command_failed" && j.Command != "":
		return fmt.Sprintf("a command in %s ended with status %d", failedPhase(j), j.Exit)
	}
	return cmp.Or(j.Message, b.Message, meaning(j.Reason), "job "+j.Name+" failed")
}

// failedTests is how many failed: those that are counted, or those told of while their jobs run.
func failedTests(t *client.BuildTests) int {
	if t == nil {
		return 0
	}
	return max(t.Failed+t.Error, len(t.Failures))
}

// jobCounts is how the jobs of a build stand.
type jobCounts struct {
	passed, failed, ignored, running, waiting, paused int

	why string // the first that waits says why
}

func countJobs(jobs []client.Job) (c jobCounts) {
	for i := range jobs {
		switch j := &jobs[i]; {
		case !j.Paused.IsZero() && j.Status == "IN_PROGRESS":
			c.paused++
			c.running++
		case j.Status == "SUCCEEDED":
			c.passed++
		case bad(j) && j.Ignored:
			c.ignored++
		case bad(j):
			c.failed++
		case j.State == "leased":
			c.running++
		case j.State == "blocked" || j.State == "queued":
			c.waiting++
			if c.why == "" {
				c.why = j.Why
			}
		}
	}
	return c
}

// bad tells that a job failed of itself: not because another did.
func bad(j *client.Job) bool {
	return class(j.Status) == "no" && j.Reason != "dependency_failed"
}

// shape is the status of a job as it is drawn: one that did not start has not failed of itself, and one that waits does not run.
func shape(j *client.Job) string {
	switch {
	case j.Reason == "dependency_failed":
		return "NOT_STARTED"
	case j.State == "blocked" || j.State == "queued":
		return "WAITING"
	}
	return j.Status
}

// failedPhase is the phase in which a job failed.
func failedPhase(j *client.Job) string {
	for _, p := range j.Phases {
		if class(p.Status) == "no" {
			return p.Name
		}
	}
	return j.Phase
}

func firstFailed(jobs []client.Job) *client.Job {
	i := slices.IndexFunc(jobs, func(j client.Job) bool { return bad(&j) && !j.Ignored })
	if i < 0 {
		return nil
	}
	return &jobs[i]
}

// meaning is what a reason says to people, "" of one that is not known.
func meaning(word string) string {
	for _, r := range client.Reasons {
		if r.Word == word {
			return strings.ReplaceAll(r.Means, "`", "")
		}
	}
	return ""
}

// asSentence makes one of a clause.
func asSentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
