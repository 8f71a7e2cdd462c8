package daemon

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
)

// explainer makes of a failed test what a person wants to know first: where it is, since when it fails, whether it
// fails elsewhere too, and how to run it alone.
type explainer struct {
	builds  failedBuilds
	history *history.Store
	read    func(ctx context.Context, url, commit, name string, max int64) ([]byte, error) // a file of a commit
}

// failedBuilds is what of the scheduler an explainer needs.
type failedBuilds interface {
	Build(id string) (scheduler.Build, error)
	Jobs(build string) ([]scheduler.Job, error)
	Project(name string) (scheduler.Project, error)
	Trigger(id string) (scheduler.Trigger, error)
	TestsChanged(build string)
	ToldEarly(attempt string, number int, f scheduler.EarlyFailures)
}

// Bounds on an excerpt: lines before and after the one that is meant, bytes of each, bytes of the file, and the time to
// read it.
const (
	excerptLines = 3
	excerptWidth = 200
	excerptFile  = 2 << 20
	excerptTime  = 3 * time.Second
)

// tell explains what an attempt told of failures, and stores it.
func (e *explainer) tell(ctx context.Context, b *scheduler.Build, told *telling, final bool) (changed bool, err error) {
	known, err := e.history.Failures(b.Project, b.Number)
	if err != nil || len(known) == 0 && len(told.Failed) == 0 {
		return false, err
	}
	room := history.MaxFailures
	for i := range told.Failed {
		f := &told.Failed[i]
		if slices.ContainsFunc(known, func(k history.Failure) bool { return k.ID == f.ID }) || room == 0 {
			continue
		}
		room--
		f.Early = !final
		if err := e.explain(ctx, b, f); err != nil {
			return false, err
		}
	}
	told.Final = final
	return e.history.Explain(b.Project, b.Number, told.Told)
}

// explain fills in what is known of a failure. What cannot be had is left out.
func (e *explainer) explain(ctx context.Context, b *scheduler.Build, f *history.Failure) error {
	p, err := e.builds.Project(b.Project)
	if err != nil {
		return err
	}
	f.Command = tests.Rerun(&f.Case, e.commands(b, f.Job))
	f.Excerpt = e.excerpt(ctx, p.URL, b.Commit, &f.Case)
	results, err := e.history.Test(b.Project, f.ID)
	if err != nil && !errors.Is(err, history.ErrNotFound) {
		return err
	}
	refs := p.DefaultRefs()
	if t, err := e.builds.Trigger(b.Trigger); err == nil && t.BaseRef != "" {
		refs = []string{t.BaseRef}
	}
	compare(f, results, b.Number, refs)
	return nil
}

// compare says how a test did before.
func compare(f *history.Failure, results []history.Result, build int, refs []string) {
	recovered := false
	for i := range results {
		r := &results[i]
		if r.Build.Number >= build || r.Status != tests.Succeeded && !r.Status.Bad() {
			continue
		}
		f.Runs++
		if r.Flaky {
			f.Flaky++
		}
		recovered = recovered || !r.Status.Bad()
		if !recovered {
			f.First = r
		}
		if f.Base == nil && slices.Contains(refs, r.Build.Ref) {
			f.Base, f.BaseRef = r, r.Build.Ref
		}
	}
}

// commands is all that a job of a build runs.
func (e *explainer) commands(b *scheduler.Build, job int) string {
	plan := b.Plan
	if plan == nil {
		whole, err := e.builds.Build(b.ID())
		if err != nil || whole.Plan == nil {
			return ""
		}
		plan = whole.Plan
	}
	if job >= len(plan.Jobs) {
		return ""
	}
	var all []string
	for _, phase := range plan.Jobs[job].Phases {
		for _, c := range phase.Commands {
			all = append(all, c.Text)
		}
	}
	return strings.Join(all, "\n")
}

// excerpt is the source around a failure, as it is in the build's commit. It says of a case where its file was found.
func (e *explainer) excerpt(ctx context.Context, url, commit string, c *tests.Case) []history.Line {
	name := path.Clean(c.File)
	if c.Line < 1 || c.File == "" || name != c.File || path.IsAbs(name) || strings.HasPrefix(name, "../") || commit == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, excerptTime)
	defer cancel()
	for _, name := range places(c) {
		text, err := e.read(ctx, url, commit, name, excerptFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		lines := around(string(text), c.Line)
		if err != nil || lines == nil {
			return nil
		}
		c.File = name
		return lines
	}
	return nil
}

// maxPlaces bounds where a file is looked for.
const maxPlaces = 12

// places are where a file may be that a failure names. That of a Go test says its name within the package, whose path ends
// as its directory does.
func places(c *tests.Case) (names []string) {
	if strings.HasSuffix(c.File, "_test.go") && !strings.Contains(c.File, "/") {
		for dir := path.Clean(c.Class); dir != "." && filepath.IsLocal(dir) && len(names) < maxPlaces; {
			if names = append(names, path.Join(dir, c.File)); !strings.Contains(dir, "/") {
				break
			}
			_, dir, _ = strings.Cut(dir, "/")
		}
	}
	return append(names, c.File)
}

// around are the lines of a text beside one of them; none where it does not reach there: the report means another version.
func around(text string, at int) (lines []history.Line) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		if number > at+excerptLines {
			break
		}
		if number >= at-excerptLines {
			lines = append(lines, history.Line{Number: number, Text: sourceLine(line)})
		}
	}
	if number < at {
		return nil
	}
	return lines
}

// sourceLine is a line of source as it can be shown.
func sourceLine(line string) string {
	line = strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	short := tests.Cut(line, excerptWidth)
	return short + strings.Repeat("…", cmp.Compare(len(line), len(short)))
}
