package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/compare"
	"github.com/runner-ci/runner/terminal"
)

func newDiff(a *app) *cobra.Command {
	var d difference
	cmd := &cobra.Command{
		Use:   "diff [GREEN] RED",
		Short: "Show what is different between a build that works and one that does not",
		Long: "Shows where the logs of two builds first go apart, what their jobs were given otherwise (commit, images, variables,\n" +
			"commands), and which tests began to fail, came, went or got much slower. With one build, the other is its last green\n" +
			"predecessor on the same branch.\n\n" +
			"Logs are compared without what differs from run to run: colours, times, durations, ids, addresses, temporary files, high\n" +
			"ports, bars of progress, and the order of lines. No secret's value is compared or shown.\n\n" +
			strings.ReplaceAll(buildArg, "BUILD is", "A build is"),
		Example: "  runner diff api#142\n  runner diff api#141 api#142\n  runner diff api#141 api#142 --job linux --log | less -R\n  runner diff api --json | jq '.tests.failing.first[].id'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			d.app, d.c = a, c
			return d.run(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&d.job, "job", "", "only this `JOB`, by its id")
	cmd.Flags().BoolVar(&d.whole, "log", false, "print all places at which the logs of the job differ, as a patch has them, and nothing else")
	a.jsonFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("log", "json")
	return exits(a.remote(cmd), "0    the builds are the same in all that was compared", "1    they differ", exitTrouble)
}

// difference is one call of runner diff.
type difference struct {
	app   *app
	c     *client.Client
	job   string
	whole bool

	report compare.Report
}

func (d *difference) run(ctx context.Context, args []string) error {
	if err := d.builds(ctx, args); err != nil {
		return err
	}
	jobs, err := d.jobs()
	if err != nil {
		return err
	}
	if d.whole {
		return d.wholeLog(ctx, jobs[0])
	}
	if err := d.compare(ctx, jobs); err != nil {
		return err
	}
	d.report.Green.Jobs, d.report.Red.Jobs = nil, nil
	d.report.Conclude()
	if d.app.json {
		err = terminal.JSON(d.app.out, d.report)
	} else {
		terminal.Difference(d.app.view(), &d.report)
	}
	if err == nil && !d.report.Same {
		err = statusError(statusFailed)
	}
	return err
}

// builds reads the two builds that are meant.
func (d *difference) builds(ctx context.Context, args []string) error {
	id, err := buildID(ctx, d.c, args[len(args)-1])
	if err != nil {
		return err
	}
	if d.report.Red, err = d.c.Build(ctx, id); err != nil {
		return err
	}
	var green string
	if len(args) == 2 {
		green, err = buildID(ctx, d.c, args[0])
	} else {
		green, d.report.Chosen, err = predecessor(ctx, d.c, &d.report.Red)
	}
	if err == nil {
		d.report.Green, err = d.c.Build(ctx, green)
	}
	return err
}

// How far back a green predecessor is looked for.
const (
	lookBackPage  = 200
	lookBackPages = 10
)

// predecessor finds the last build before one that succeeded: of the same ref, else trusted, as those of the default branch
// are, else any.
func predecessor(ctx context.Context, c *client.Client, red *client.Build) (id, why string, err error) {
	var trusted, any string
	own := !strings.HasPrefix(red.Ref, "refs/runner/") // a submit's ref has no other builds
	o := client.ListOptions{Project: red.Project, Status: "SUCCEEDED", Limit: lookBackPage}
	for range lookBackPages {
		page, err := c.Builds(ctx, o)
		if err != nil {
			return "", "", err
		}
		for _, b := range page.Items {
			switch {
			case b.Number >= red.Number:
			case own && b.Ref == red.Ref:
				return b.ID, "the last green build of " + terminal.Ref(b.Ref) + " before", nil
			case trusted == "" && b.Trusted:
				trusted = b.ID
			case any == "":
				any = b.ID
			}
		}
		if o.Cursor = page.Next; o.Cursor == "" || trusted != "" && !own {
			break
		}
	}
	none := ""
	if own {
		none = "; " + terminal.Ref(red.Ref) + " has none"
	}
	switch {
	case trusted != "":
		return trusted, "the last green build of a protected branch before" + none, nil
	case any != "":
		return any, "the last green build before" + none, nil
	}
	return "", "", hinted(fmt.Errorf("no build of %s before %s succeeded", red.Project, red.ID), "name the one to compare with: runner diff GREEN %s", red.ID)
}

// maxCompared is how many jobs are compared where nobody named one.
const maxCompared = 3

// jobs chooses what is compared: the job that is named, else those that did not succeed, else all; as far as both builds have
// them, and not more than a few.
func (d *difference) jobs() ([]string, error) {
	var both, failed []string
	for _, j := range d.report.Red.Jobs {
		if !hasJob(&d.report.Green, j.ID) {
			continue
		}
		both = append(both, j.ID)
		if j.Status != "SUCCEEDED" && j.Status != "IN_PROGRESS" {
			failed = append(failed, j.ID)
		}
	}
	if d.job != "" {
		if slices.Contains(both, d.job) {
			return []string{d.job}, nil
		}
		return nil, hinted(fmt.Errorf("no job %q is in both builds", d.job), "both have: %s", orNothing(both))
	}
	jobs := both
	if len(failed) > 0 {
		jobs = failed
	}
	if d.whole && len(jobs) != 1 {
		return nil, hinted(errors.New("--log is of one job"), "name it with --job: %s", orNothing(jobs))
	}
	if len(jobs) == 0 {
		d.note("the builds have no job in common, so no logs and environments were compared")
	}
	if len(jobs) > maxCompared {
		jobs, d.report.MoreJobs = jobs[:maxCompared], jobs[maxCompared:]
	}
	return jobs, nil
}

func hasJob(b *client.Build, id string) bool {
	return slices.ContainsFunc(b.Jobs, func(j client.Job) bool { return j.ID == id })
}

func jobOf(b *client.Build, id string) client.Job {
	return b.Jobs[slices.IndexFunc(b.Jobs, func(j client.Job) bool { return j.ID == id })]
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// note tells, once, what could not be compared.
func (d *difference) note(text string) {
	if !slices.Contains(d.report.Notes, text) {
		d.report.Notes = append(d.report.Notes, text)
	}
}

// compare fills in the report.
func (d *difference) compare(ctx context.Context, jobs []string) error {
	d.report.Environment = compare.Builds(d.report.Green, d.report.Red)
	d.report.Logs = []compare.Divergence{}
	var facts []compare.Fact
	for _, job := range jobs {
		log, err := d.log(ctx, job)
		if err != nil {
			return err
		}
		d.report.Logs = append(d.report.Logs, log)
		more, err := d.environment(ctx, job)
		if err != nil {
			return err
		}
		facts = append(facts, more...)
	}
	d.report.Environment = append(d.report.Environment, compare.Together(facts, len(jobs))...)
	if d.report.Environment == nil {
		d.report.Environment = []compare.Fact{}
	}
	return d.tests(ctx)
}

// opens returns what opens the newest log of a job of a build.
func (d *difference) opens(ctx context.Context, build, job string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return d.c.Log(ctx, build, job, client.LogOptions{}) }
}

// log compares the logs of a job. One that is no longer kept is told of.
func (d *difference) log(ctx context.Context, job string) (compare.Divergence, error) {
	log, err := compare.Diverge(job, d.opens(ctx, d.report.Green.ID, job), d.opens(ctx, d.report.Red.ID, job))
	var answer *client.Error
	if errors.As(err, &answer) && answer.Status == 410 {
		log.Missing, err = answer.Detail, nil
	}
	return log, err
}

func (d *difference) environment(ctx context.Context, job string) ([]compare.Fact, error) {
	facts := compare.Jobs(jobOf(&d.report.Green, job), jobOf(&d.report.Red, job))
	green, err := d.c.Environment(ctx, d.report.Green.ID, job)
	if err != nil {
		return nil, err
	}
	red, err := d.c.Environment(ctx, d.report.Red.ID, job)
	if err != nil {
		return nil, err
	}
	if green.Incomplete || red.Incomplete {
		d.note("an older daemon planned one of the builds, so the project's variables of that time are not known")
	}
	return append(facts, compare.Environments(green, red)...), nil
}

// tests compares the tests of both builds.
func (d *difference) tests(ctx context.Context) error {
	var expired bool
	green, red := d.testsOf(ctx, d.report.Green.ID, &expired), d.testsOf(ctx, d.report.Red.ID, &expired)
	t, err := compare.CompareTests(green, red)
	switch {
	case err != nil:
		return err
	case expired:
		d.note("retention has removed the tests of one of the builds, so tests were not compared")
		return nil
	}
	if t.Otherwise() || t.Same+t.Still > 0 {
		d.report.Tests = &t
	}
	return nil
}

// testsOf gives the tests of a build one by one, by id; none where it told of none.
func (d *difference) testsOf(ctx context.Context, build string, expired *bool) func() (client.TestCase, bool, error) {
	var page client.TestReport
	more, at := true, 0
	return func() (client.TestCase, bool, error) {
		for at == len(page.Items) {
			if !more || *expired {
				return client.TestCase{}, false, nil
			}
			var err error
			page, err = d.c.Tests(ctx, build, client.TestOptions{Status: "all", Cursor: page.Next, Limit: 200})
			var answer *client.Error
			if errors.As(err, &answer) && answer.Status == 404 {
				return client.TestCase{}, false, nil
			} else if err != nil {
				return client.TestCase{}, false, err
			}
			more, at, *expired = page.Next != "", 0, *expired || page.Expired
		}
		at++
		return page.Items[at-1], true, nil
	}
}

// wholeLog prints all differences of the logs of one job.
func (d *difference) wholeLog(ctx context.Context, job string) error {
	o, differ := d.app.view(), false
	err := compare.All(d.opens(ctx, d.report.Green.ID, job), d.opens(ctx, d.report.Red.ID, job), 3, func(row compare.Row) bool {
		if !differ {
			differ = true
			terminal.LogHead(o, &d.report, job)
		}
		terminal.LogRow(o, row)
		return true
	})
	if err == nil && differ {
		err = statusError(statusFailed)
	}
	return err
}
