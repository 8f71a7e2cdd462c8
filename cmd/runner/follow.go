package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

const exitDetached = "130  interrupted; the build goes on"

// following is a build to be shown until it ends, for submit, retry and run alike.
type following struct {
	app       *app
	client    *client.Client
	build     string
	artifacts string // directory to fetch artifacts into; "" fetches none
	keep      bool   // a daemon keeps the build, so that there is more to see afterwards
	first     bool   // leave when a test has failed
	patching  patching
	sent      any // what submit sent, for --json

	// watch shows the build until it has ended, in place of its logs; nil: its logs are shown.
	watch func(context.Context, *terminal.Output) (client.Build, error)
}

// outcome is what --json prints of a build that was followed.
type outcome struct {
	Sent      any                  `json:"sent,omitempty"`
	Build     client.Build         `json:"build"`
	Artifacts []client.ArtifactSet `json:"artifacts"`
}

// detachable follows until the build ends or the user interrupts, which leaves the build alone.
func (f *following) detachable(ctx context.Context) error {
	ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	err := f.follow(ctx)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(f.app.err, "%s goes on; stop it with: runner stop %s\n", f.build, f.build)
		return statusError(statusInterrupted)
	}
	return err
}

// follow shows the build until it ends, then its summary. The verdict is the last line, and the exit status.
func (f *following) follow(ctx context.Context) error {
	until := func(b client.Build) bool { return f.first && b.Tests != nil && b.Tests.Failing }
	o := f.app.view()
	watch := func() (client.Build, error) { return terminal.FollowUntil(ctx, f.client, f.build, o, until) }
	if f.watch != nil {
		watch = func() (client.Build, error) { return f.watch(ctx, o) }
	}
	if f.app.json {
		watch = func() (client.Build, error) { return terminal.Await(ctx, f.client, f.build, until) }
	}
	b, err := watch()
	switch {
	case err == nil && b.Status == "IN_PROGRESS" && until(b):
		return f.firstFailure(o, b)
	case errors.Is(err, context.Canceled), errors.Is(err, terminal.ErrLeft):
		return err
	case (b.Status == "" || b.Status == "IN_PROGRESS") && err == nil:
		return hinted(fmt.Errorf("the daemon said no more of %s", f.build), "see how it is with: runner show %s", f.build)
	case b.Status == "" || b.Status == "IN_PROGRESS":
		return err
	}
	// The build has ended: a log that could not be read is told of, and does not change the verdict.
	if err != nil {
		fmt.Fprint(f.app.err, f.app.describe(err))
	}
	if b, err = f.client.Settled(ctx, b); err != nil {
		return err
	}
	sets, err := f.client.Artifacts(ctx, f.build)
	if err != nil {
		return err
	}
	patches, rest := patchSets(sets)
	if !f.app.json {
		o.Lines("")
		terminal.Summary(o, b, rest)
		f.app.tests(ctx, o, f.client, b)
		if f.keep {
			f.app.since(ctx, o, f.client, b)
			terminal.Next(o, b, sets)
		}
	}
	if f.artifacts != "" && len(rest) > 0 {
		if err := f.app.fetch(ctx, f.client, f.build, only(rest, client.Choice{}), f.artifacts); err != nil {
			return err
		}
	}
	var patched error
	if f.patching.wanted() {
		patched = f.app.patch(ctx, f.client, b, patches, f.patching)
	}
	if err := f.verdict(b, sets); patched == nil {
		return err
	}
	return patched
}

// firstFailure leaves a build that has failed already: it goes on where a daemon keeps it, and else ends with us.
func (f *following) firstFailure(o *terminal.Output, b client.Build) error {
	if f.app.json {
		return errors.Join(terminal.JSON(f.app.out, outcome{f.sent, b, []client.ArtifactSet{}}), statusError(statusFailed))
	}
	o.Lines("")
	terminal.Tests(o, b, nil)
	if f.keep {
		o.Lines(terminal.Verdict(b), fmt.Sprintf("%s goes on; follow it with: runner logs -f %s", b.ID, b.ID))
	} else {
		o.Lines("the build is stopped at its first failed test")
	}
	return statusError(statusFailed)
}

// tests shows what the tests of a build came to. That they cannot be read is told of, and changes nothing else.
func (a *app) tests(ctx context.Context, o *terminal.Output, c *client.Client, b client.Build) {
	var failed []client.TestCase
	if t := b.Tests; t != nil && t.Failed+t.Error+t.Flaky+t.Quarantined > 0 {
		report, err := c.Tests(ctx, b.ID, client.TestOptions{Limit: terminal.ManyFailures})
		if err != nil {
			fmt.Fprint(a.err, a.describe(err))
		}
		failed = report.Items
	}
	terminal.Tests(o, b, failed)
}

// since tells since when a build fails. That its predecessors cannot be read is told of, and changes nothing else.
func (a *app) since(ctx context.Context, o *terminal.Output, c *client.Client, b client.Build) {
	if !b.Failed() {
		return
	}
	past, err := c.Builds(ctx, client.ListOptions{Project: b.Project, Limit: client.PastBuilds})
	if err != nil {
		fmt.Fprint(a.err, a.describe(err))
		return
	}
	terminal.FailingSince(o, client.FailingSince(b, past.Items, ""), time.Now())
}

func (f *following) verdict(b client.Build, sets []client.ArtifactSet) error {
	if f.app.json {
		if sets == nil {
			sets = []client.ArtifactSet{}
		}
		if err := terminal.JSON(f.app.out, outcome{f.sent, b, sets}); err != nil {
			return err
		}
	} else {
		f.app.view().Lines(terminal.Verdict(b))
	}
	switch b.Status {
	case "SUCCEEDED":
		return nil
	case "FAULT":
		return statusError(statusTrouble)
	}
	return statusError(statusFailed)
}

// fetch unpacks what is chosen of a build's artifacts into a directory and says what came.
func (a *app) fetch(ctx context.Context, c *client.Client, id string, of client.Choice, dir string) error {
	archive, err := c.ArchiveOf(ctx, id, of, "tar.zst")
	if err != nil {
		return err
	}
	defer archive.Close()
	p := terminal.NewProgress(a.notes(), "fetched", 0)
	began := time.Now()
	files, bytes, err := unpack(p.Reader(archive), dir)
	p.Stop()
	if err != nil {
		return fmt.Errorf("unpacking the artifacts of %s into %s: %w", id, dir, err)
	}
	terminal.Fact(a.notes(), "fetched", fmt.Sprintf("%s, %s, into %s", terminal.Count(files, "file", "files"), terminal.Size(bytes), dir), time.Since(began))
	return nil
}
