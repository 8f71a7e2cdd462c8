package web

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// took is how long something took, in the two units that matter: 0.3 s, 12 s, 2m 07s, 3h 05m.
func took(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// size is a number of bytes: 512 B, 1.4 KiB, 23 MiB.
func size(bytes int64) string {
	n, units := float64(bytes), "KMGTPE"
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	i := -1
	for n >= 1024 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	if n < 10 {
		return fmt.Sprintf("%.1f %ciB", n, units[i])
	}
	return fmt.Sprintf("%.0f %ciB", n, units[i])
}

// short is a commit as people say it.
func short(commit string) string { return commit[:min(len(commit), 7)] }

// refName is a ref as people say it: main, v1.2, pull request 7, submit.
func refName(ref string) string {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return name
	}
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return name
	}
	for _, prefix := range []string{"refs/pull/", "refs/merge-requests/", "refs/pull-requests/"} {
		if rest, ok := strings.CutPrefix(ref, prefix); ok {
			number, _, _ := strings.Cut(rest, "/")
			return "pull request " + number
		}
	}
	if strings.HasPrefix(ref, "refs/runner/submit/") {
		return "submit"
	}
	return ref
}

// class is the shape and colour of a status: ok, no, run, flk for what warns, and nothing for what waits or was stopped.
func class(status string) string {
	switch status {
	case "SUCCEEDED":
		return "ok"
	case "FAILED", "FAULT", "TIMED_OUT", "ERROR":
		return "no"
	case "IN_PROGRESS":
		return "run"
	}
	return "st"
}

// word is a status as people say it.
func word(status string) string {
	switch status {
	case "SUCCEEDED":
		return "passed"
	case "FAILED":
		return "failed"
	case "FAULT":
		return "broken machine"
	case "TIMED_OUT":
		return "timed out"
	case "IN_PROGRESS":
		return "running"
	case "STOPPED":
		return "stopped"
	case "":
		return "not started"
	}
	return strings.ToLower(strings.ReplaceAll(status, "_", " "))
}

// projectPath is the path of a project's page, buildPath of a build's.
func projectPath(name string) string { return "/projects/" + url.PathEscape(name) }

func buildPath(id string) string {
	project, number, err := client.SplitBuildID(id)
	if err != nil {
		return "/"
	}
	return fmt.Sprintf("%s/builds/%d", projectPath(project), number)
}

// plural is a number with its noun: 1 job, 2 jobs.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// rfc is a time for machines, clock for people whose browser does not run scripts.
func rfc(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func clock(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") }

// dict makes what a template hands to another that takes several things.
func dict(pairs ...any) (map[string]any, error) {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		out[key] = pairs[i+1]
	}
	return out, nil
}

// queued is how many jobs wait in the line that somebody may know of.
func queued(d *client.Daemon) int {
	if d == nil {
		return 0
	}
	return d.Queued
}

// lasting is for how long something has been, for sentences: 2 minutes, 3 days.
func lasting(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour")
	}
	return plural(int(d.Hours())/24, "day")
}

// lowerPhase is a phase as people say it: pre-build, download source.
func lowerPhase(name string) string {
	if name == "PRE_BUILD" || name == "POST_BUILD" {
		return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}

// firstLine is the first line of a text, shortened so that a row holds it.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return clip(text, 160)
}

// words is an id as people say it: pull request for pull_request.
func words(id string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(id) }

// numberOf is the number in a build's id.
func numberOf(id string) string {
	_, number, _ := strings.Cut(id, "#")
	return number
}

// asBuilds are builds of late as a strip shows them.
func asBuilds(recent []client.Recent) []client.Build {
	out := make([]client.Build, len(recent))
	for i, r := range recent {
		out[i] = client.Build{ID: r.Build, Status: r.Status, Seconds: r.Seconds}
	}
	return out
}
