package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// judgeWait bounds the reading of what a build left, from a daemon that dies meanwhile.
const judgeWait = 2 * time.Minute

// build judges a build that has ended: it is what was known of it, byte by byte, or a FAULT with a reason where something
// was taken away that it needed.
func (j *judge) build(ctx context.Context, r *request, b client.Build) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), judgeWait)
	defer cancel()
	k := r.kind
	excuse := j.excuse(r)
	j.ended(strings.TrimSpace(b.Status + " " + faultReason(b)))
	j.witnessed(r, b)
	if b.Status != k.status {
		if !excuse.covers(b.Reason) && b.Status == "FAULT" {
			excuse.killed = j.stray()
		}
		switch {
		case excuse.disk() && b.Status != "IN_PROGRESS" || b.Reason == "service" && slices.Contains(excuse.what, serviceDied) || b.Status == "FAULT" && excuse.covers(b.Reason):
			j.w.say("fault", "%s: %s, %.200s; %s", b.ID, b.Reason, b.Message, excuse)
		default:
			j.violation(lost, "%s ended %s (%s: %s), and was to end %s; what was done to it: %s", b.ID, b.Status, b.Reason, b.Message, k.status, excuse)
		}
		if b.Reason == "" || b.Message == "" {
			j.violation(lost, "%s ended %s without saying why (%q: %q)", b.ID, b.Status, b.Reason, b.Message)
		}
		return
	}
	if len(b.Jobs) != k.jobs {
		j.violation(lost, "%s has %d jobs, want %d", b.ID, len(b.Jobs), k.jobs)
		return
	}
	var logs []string
	for _, job := range b.Jobs {
		if !j.tried(r, job, excuse) {
			return
		}
		log, err := j.log(ctx, b.ID, job.ID, 0)
		for _, a := range faults(job) { // a shard that was lost has run tests before
			if k.output == nil && err == nil {
				var former string
				former, err = j.log(ctx, b.ID, job.ID, a.Number)
				logs = append(logs, former)
			}
		}
		if err != nil {
			j.violation(lost, "the log of %s %s cannot be read: %v", b.ID, job.Name, err)
			return
		}
		logs = append(logs, log)
	}
	if k.output == nil {
		j.shards(r, logs)
		return
	}
	j.output(r, b.Jobs[0], logs[0], excuse)
	j.files(ctx, r, b.Jobs[0], excuse)
	if k.report != "" {
		j.report(ctx, r, excuse)
	}
}

// report looks for the one report file. That it cannot be taken in is nobody's failure while something is away.
func (j *judge) report(ctx context.Context, r *request, excuse excuse) {
	var sets []client.ArtifactSet
	err := insist(ctx, func() (err error) {
		sets, err = j.w.daemon.api.Reports(ctx, r.build)
		return err
	})
	want := sum([]byte(r.kind.report + "\n"))
	if whole := err == nil && len(sets) == 1 && len(sets[0].Files) == 1 && sets[0].Files[0].SHA256 == want; !whole && excuse.none() {
		j.violation(lost, "the reports of %s are %+v (%v), want one file with the digest %.12s", r.build, sets, err, want)
	}
}

func faultReason(b client.Build) string {
	if b.Status == "SUCCEEDED" || b.Status == "FAILED" {
		return ""
	}
	return b.Reason
}

// witnessed compares how often the job's commands began with how many attempts the daemon knows of.
func (j *judge) witnessed(r *request, b client.Build) {
	attempts, faulty := 0, 0
	for _, job := range b.Jobs {
		attempts += job.Attempt
		faulty += len(faults(job))
	}
	heard := j.w.witness.of(b.ID)
	if len(heard) > attempts {
		j.violation(doubled, "the commands of %s began %d times in %d attempts", b.ID, len(heard), attempts)
	}
	if r.kind.once && len(heard) > 1 {
		j.violation(doubled, "the commands of %s began %d times, and its project wants them tried again only before they begin", b.ID, len(heard))
	}
	if len(heard) < attempts-faulty && b.Status == "SUCCEEDED" && j.excuse(r).none() {
		j.violation(lost, "%s ended %s in %d attempts, and its commands were heard to begin %d times", b.ID, b.Status, attempts, len(heard))
	}
}

// log reads all of an attempt's log, 0 for the last, again where the daemon dies in the middle.
func (j *judge) log(ctx context.Context, build, job string, attempt int) (text string, err error) {
	err = insist(ctx, func() error {
		rc, err := j.w.daemon.api.Log(ctx, build, job, client.LogOptions{Attempt: attempt})
		if err != nil {
			return err
		}
		defer rc.Close()
		all, err := io.ReadAll(rc)
		text = string(all)
		return err
	})
	return text, err
}

var (
	stamp = regexp.MustCompile(`^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+ `)
	token = regexp.MustCompile(`^token ([0-9a-f-]{36})$`)
	// vague are lines of the agent's and the daemon's own that depend on what other builds did.
	vague = regexp.MustCompile(`cache|Cache|[0-9.]+ ?m?s\b`)
)

// output compares a log with what its commands print, byte by byte, and the agent's own lines with those of other builds
// of the kind, below one that names the fault which the attempt follows. Where something was away, the daemon may say below
// them what it could not take in.
func (j *judge) output(r *request, job client.Job, log string, excuse excuse) {
	var said, own strings.Builder
	tokens := 0
	before := preface(job)
	for line := range strings.Lines(log) {
		text, whole := strings.CutSuffix(line, "\n")
		switch {
		case before != "" && stamp.ReplaceAllString(line, "") == before:
			before = ""
		case stamp.MatchString(line):
			if line = stamp.ReplaceAllString(line, ""); !vague.MatchString(line) {
				own.WriteString(strings.ReplaceAll(line, r.salt, "SALT"))
			}
		case whole && token.MatchString(text):
			tokens++
		case text == "nobody heard":
		default:
			said.WriteString(line)
		}
	}
	if before != "" {
		j.violation(lost, "the log of %s does not begin with what came before: %q", r.build, before)
	}
	if tokens != 1 {
		j.violation(doubled, "the log of %s has the beginning of the commands %d times", r.build, tokens)
	}
	unserved := slices.Contains(excuse.what, serviceDied) || r.kind.serves && excuse.disk() // one that died answers nothing
	if want := r.kind.output(r.kind, r.salt); said.String() != want && !unserved {
		j.violation(lost, "the log of %s is not what its commands print: %s", r.build, difference(said.String(), want))
	}
	j.mu.Lock()
	want, known := j.reference[r.kind.name]
	if !known && excuse.none() {
		j.reference[r.kind.name] = own.String()
	}
	j.mu.Unlock()
	if known && own.String() != want && !excused(own.String(), want, excuse) {
		j.violation(lost, "the agent's lines in the log of %s are not those of other builds: %s", r.build, difference(own.String(), want))
	}
}

// excused tells whether the agent's lines may differ from those of other builds: the daemon may have added some below them, or
// what a job left could not be collected on a disk that was full.
func excused(own, want string, excuse excuse) bool {
	if n := strings.Index(own, "Phase complete: UPLOAD_ARTIFACTS State: FAILED"); n >= 0 && excuse.disk() && strings.HasPrefix(want, own[:n]) {
		return true
	}
	return !excuse.none() && strings.HasPrefix(own, want)
}

// difference shows where two texts part.
func difference(got, want string) string {
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	part := func(s string) string { return s[max(0, n-40):min(len(s), n+60)] }
	return fmt.Sprintf("%d bytes, want %d; from byte %d it has %q, want %q", len(got), len(want), n, part(got), part(want))
}

// files compares the artifacts of a job with what is known of them.
func (j *judge) files(ctx context.Context, r *request, job client.Job, excuse excuse) {
	want := r.kind.left(r.kind, r.salt)
	var sets []client.ArtifactSet
	err := insist(ctx, func() (err error) {
		sets, err = j.w.daemon.api.Artifacts(ctx, r.build)
		return err
	})
	if err != nil {
		j.violation(lost, "the artifacts of %s cannot be listed: %v", r.build, err)
		return
	}
	if len(sets) == 0 && !excuse.none() && r.kind.status == "FAILED" {
		return // a job that failed keeps its status where its artifacts could not be had
	}
	found := 0
	for _, set := range sets {
		for _, f := range set.Files {
			if content, ok := want[f.Path]; !ok || f.SHA256 != sum(content) || f.Size != int64(len(content)) {
				j.violation(lost, "the artifact %s of %s has %d bytes with the digest %.12s, want %d with %.12s", f.Path, r.build, f.Size, f.SHA256, len(content), sum(content))
			}
			found++
		}
	}
	if found != len(want) {
		j.violation(lost, "%s left %d artifacts, want %d", r.build, found, len(want))
		return
	}
	j.read(ctx, r, job, want)
}

// read reads the files themselves: what is listed may not be what is stored.
func (j *judge) read(ctx context.Context, r *request, job client.Job, want map[string][]byte) {
	for path, content := range want {
		var got []byte
		err := insist(ctx, func() error {
			f, err := j.w.daemon.api.ArtifactFile(ctx, r.build, job.ID, path)
			if err != nil {
				return err
			}
			defer f.Close()
			got, err = io.ReadAll(f)
			return err
		})
		if err != nil || sum(got) != sum(content) {
			j.violation(lost, "the artifact %s of %s reads as %d bytes with the digest %.12s, want %d with %.12s (%v)", path, r.build, len(got), sum(got), len(content), sum(content), err)
		}
	}
}

// shards checks that every test ran to its end once over the shards.
func (j *judge) shards(r *request, logs []string) {
	ran := make(map[string]int)
	for _, log := range logs {
		for line := range strings.Lines(log) {
			if name, ok := strings.CutPrefix(line, "ran "); ok {
				ran[strings.TrimSuffix(name, ".\n")]++
			}
		}
	}
	for i := range r.kind.files {
		name := fmt.Sprintf("tests/t%02d.sh", i)
		switch n := ran[name]; {
		case n == 0:
			j.violation(lost, "%s: %s did not run in any shard", r.build, name)
		case n > 1+len(logs)-r.kind.jobs: // a shard may have been lost before it said so
			j.violation(doubled, "%s: %s ran %d times over the shards", r.build, name, n)
		}
	}
}
