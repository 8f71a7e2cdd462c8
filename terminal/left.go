package terminal

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

// artifactTable lists what each job left.
func artifactTable(o *Output, sets []client.ArtifactSet) []string {
	if len(sets) == 0 {
		return nil
	}
	t := Table{Head: []string{"artifacts", "name", "files", "size"}, Right: map[int]bool{2: true, 3: true}}
	for _, set := range sets {
		t.Row(setName(set), oneLine(set.Name), Number(len(set.Files)), Size(set.Bytes))
	}
	return t.lines(o)
}

// setName is a set's job, with the id of a secondary artifact.
func setName(set client.ArtifactSet) string {
	if set.Artifact == "" {
		return oneLine(set.Job)
	}
	return oneLine(set.Job) + " · " + oneLine(set.Artifact)
}

// reportTable lists the report groups of the jobs.
func reportTable(o *Output, b client.Build) []string {
	t := Table{Head: []string{"reports", "group", "format", "files"}, Right: map[int]bool{3: true}}
	for _, job := range b.Jobs {
		for _, g := range job.Reports {
			name := oneLine(g.Name)
			if g.Discovered {
				name += " (found)"
			}
			t.Row(oneLine(job.Name), name, oneLine(g.Format), Number(g.Files))
		}
	}
	if t.Len() == 0 {
		return nil
	}
	return t.lines(o)
}

// maxExported is where the value of an exported variable is cut in the summary, in runes; --json has all of it.
const maxExported = 80

// exportedTable lists the exported variables of the jobs.
func exportedTable(o *Output, b client.Build) []string {
	t := Table{Head: []string{"exported", "name", "value"}}
	for _, job := range b.Jobs {
		for _, v := range job.Exported {
			value := []rune(oneLine(v.Value))
			if len(value) > maxExported {
				value = append(value[:maxExported-1], '…')
			}
			t.Row(oneLine(job.Name), oneLine(v.Name), string(value))
		}
	}
	if t.Len() == 0 {
		return nil
	}
	return t.lines(o)
}

// Files lists the files of artifacts, each with its job, size and mode.
func Files(o *Output, sets []client.ArtifactSet) {
	t := Table{Head: []string{"job", "mode", "size", "path"}, Right: map[int]bool{2: true}}
	for _, set := range sets {
		for _, f := range set.Files {
			path := strconv.Quote(f.Path) // a name may hold anything
			path = path[1 : len(path)-1]
			if f.Link != "" {
				path += " -> " + oneLine(f.Link)
			}
			t.Row(setName(set), fmt.Sprintf("%04o", f.Mode&0o7777), Size(f.Size), path)
		}
	}
	t.Print(o)
}

// Next writes where to look next: what to type to see more of a build that a daemon keeps.
func Next(o *Output, b client.Build, sets []client.ArtifactSet) {
	o.Lines(append(next(o, b, sets), "")...)
}

func next(o *Output, b client.Build, sets []client.ArtifactSet) []string {
	t := Table{}
	for _, job := range b.Jobs {
		if job.State == "ended" && job.Status != succeeded && job.LogBytes > 0 {
			t.Row("log", "runner logs "+logArgs(b, job))
			break
		}
	}
	if t.Len() == 0 && len(b.Jobs) > 0 {
		t.Row("log", "runner logs "+logArgs(b, b.Jobs[0]))
	}
	shellRows(b, time.Now(), t.Row)
	if b.Tests != nil && b.Tests.Failed+b.Tests.Error+b.Tests.Flaky+b.Tests.Quarantined > 0 {
		t.Row("tests", "runner tests failures "+b.ID)
	}
	patch := func(s client.ArtifactSet) bool { return s.Artifact == client.PatchArtifact }
	if slices.ContainsFunc(sets, func(s client.ArtifactSet) bool { return !patch(s) }) {
		t.Row("artifacts", "runner artifacts "+b.ID+" --out DIR")
	}
	if line := pushLine(b.PushProof); line != "" {
		t.Row("push", line)
	}
	if slices.ContainsFunc(sets, patch) {
		t.Row("patch", "runner artifacts "+b.ID+" --patch FILE")
	}
	switch b.Status {
	case inProgress:
		for _, job := range b.Jobs {
			if !job.Paused.IsZero() {
				t.Row("go on", "runner resume "+b.ID)
				t.Row("shell", "runner shell "+b.ID)
				break
			}
		}
		t.Row("follow", "runner logs "+b.ID+" -f")
		t.Row("stop", "runner stop "+b.ID)
	case failed, fault, timedOut, stopped:
		t.Row("again", "runner retry "+b.ID+" --failed")
	}
	return t.lines(o)
}

func logArgs(b client.Build, job client.Job) string {
	if len(b.Jobs) == 1 {
		return b.ID
	}
	return b.ID + " " + oneLine(job.ID)
}
