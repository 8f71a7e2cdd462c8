package daemon

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
	"github.com/runner-ci/runner/tests/parse"
)

// telling gathers what the reports of one attempt say of failures.
type telling struct {
	history.Told
	known, failed map[string]bool
}

// telling begins with what is known to have failed in the build.
func (e *explainer) telling(b *scheduler.Build, job, attempt int) (*telling, error) {
	known, err := e.history.Failures(b.Project, b.Number)
	t := &telling{history.Told{Job: job, Attempt: attempt, Passed: map[string]bool{}}, map[string]bool{}, map[string]bool{}}
	for i := range known {
		t.known[known[i].ID] = true
	}
	return t, err
}

// see takes a case in. Of what passed, only what failed before is remembered: a build of a million tests must not fill
// the memory.
func (t *telling) see(c *tests.Case) {
	if c.ID == "" {
		c.ID = tests.Identify(c)
	}
	if !c.Status.Bad() {
		if c.Status == tests.Succeeded && t.known[c.ID] {
			t.Passed[c.ID] = true
		}
		return
	}
	if len(t.Failed) == history.MaxFailures || t.failed[c.ID] {
		return
	}
	t.failed[c.ID] = true
	f := history.Failure{Case: *c, Job: t.Job, Attempt: t.Attempt}
	f.Message, f.Details, f.Output, f.Tries = tests.Cut(c.Message, maxExplained), "", "", nil
	t.Failed = append(t.Failed, f)
}

// maxExplained bounds the message of a failure that is explained: all of them are sent with each change of the build.
const maxExplained = 2 << 10

// early reads reports of an attempt that still runs, for its failures alone: the reports at the end are what counts. A
// file may be half written, so that its mistakes are nobody's business.
func (r *reportReader) early(ctx context.Context, attempt string, groups []wire.ReportGroup, content io.Reader) error {
	b, job, a, err := r.explain.find(attempt)
	if err != nil {
		return err
	}
	told, err := r.explain.telling(b, job, a.Number)
	if err != nil {
		return err
	}
	err = survive(func() error { return eachReport(content, groups, parse.Parser{Root: r.root(a)}, told) })
	if err = errors.Join(err, ctx.Err()); err != nil || len(told.Failed) == 0 {
		return err
	}
	changed, err := r.explain.tell(ctx, b, told, false)
	if changed {
		r.explain.builds.TestsChanged(b.ID())
	}
	return err
}

// eachReport reads the files of a tar of reports.
func eachReport(content io.Reader, groups []wire.ReportGroup, parser parse.Parser, told *telling) error {
	sink := parse.Sink{Case: func(c *tests.Case) error { told.see(c); return nil }}
	archive := tar.NewReader(content)
	for range wire.MaxReportFiles {
		hdr, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		folder, name, ok := strings.Cut(hdr.Name, "/")
		group, err := strconv.Atoi(folder)
		if !ok || err != nil || group < 0 || group >= len(groups) || hdr.Typeflag != tar.TypeReg {
			continue
		}
		_ = parser.Parse(groups[group].Format, name, archive, sink)
	}
	return nil
}

// find returns the build and the attempt of a worker, without the build's plan if it has none, and the job's place in it.
func (e *explainer) find(attempt string) (*scheduler.Build, int, *scheduler.Attempt, error) {
	build, rest, _ := strings.Cut(attempt, "/")
	id, number, _ := strings.Cut(rest, "@")
	b, err := e.builds.Build(build)
	if err != nil {
		return nil, 0, nil, err
	}
	jobs, err := e.builds.Jobs(build)
	if err != nil {
		return nil, 0, nil, err
	}
	for i := range jobs {
		if jobs[i].ID != id {
			continue
		}
		at := slices.IndexFunc(jobs[i].Attempts, func(a scheduler.Attempt) bool { return strconv.Itoa(a.Number) == number })
		if at >= 0 {
			return &b, i, &jobs[i].Attempts[at], nil
		}
	}
	return nil, 0, nil, fmt.Errorf("attempt %s: %w", attempt, scheduler.ErrNotFound)
}
