package server

import (
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// showFiltering shows the settings of a project that choose what is built.
func showFiltering(p *config.Project) client.Filtering {
	out := client.Filtering{
		Paths: p.Paths, PathsIgnore: p.PathsIgnore, SkipWords: p.SkipWords, CancelSuperseded: p.CancelSuperseded,
		Concurrency: client.Concurrency{Group: p.Concurrency.Group, Limit: p.Concurrency.Limit},
	}
	for _, group := range p.Filters {
		filters := make([]client.Filter, len(group))
		for i, x := range group {
			filters[i] = client.Filter{Type: x.Type, Pattern: x.Pattern, ExcludeMatchedPattern: x.ExcludeMatchedPattern}
		}
		out.Filters = append(out.Filters, filters)
	}
	return out
}

// readFiltering is showFiltering the other way.
func readFiltering(f client.Filtering, p *config.Project) {
	p.Paths, p.PathsIgnore, p.SkipWords, p.CancelSuperseded = f.Paths, f.PathsIgnore, f.SkipWords, f.CancelSuperseded
	p.Concurrency = config.Concurrency{Group: f.Concurrency.Group, Limit: f.Concurrency.Limit}
	for _, filters := range f.Filters {
		group := make(config.FilterGroup, len(filters))
		for i, x := range filters {
			group[i] = config.Filter{Type: x.Type, Pattern: x.Pattern, ExcludeMatchedPattern: x.ExcludeMatchedPattern}
		}
		p.Filters = append(p.Filters, group)
	}
}

// showSkipped shows which projects of a trigger build nothing of it, of those that are seen.
func showSkipped(t *scheduler.Trigger, seen func(project string) bool) (out []client.Skipped) {
	for _, x := range t.Skipped {
		if seen(x.Project) {
			out = append(out, client.Skipped{Project: x.Project, Reason: x.Reason, Passed: x.Passed})
		}
	}
	return out
}

// showGroupWait says what a job waits for whose build waits for its concurrency group. A build of a project that the caller may
// not see is not named.
func showGroupWait(j *scheduler.Job, out *client.Job, seen func(project string) bool) {
	if j.For == nil {
		return
	}
	if project, _, err := scheduler.ParseBuildID(j.For.Before); err == nil && !seen(project) {
		out.Why = j.For.For("a build of another project")
	}
}
