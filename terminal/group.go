package terminal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

// jobGroup is a row of a plan: one job, or the shards of one.
type jobGroup struct {
	first  buildspec.Job
	ids    []string
	step   int
	shards int // 1 for a job that is not sharded
}

// groupJobs folds shards that follow each other into one group, and orders groups by step. The order of the file is
// kept within a step.
func groupJobs(jobs []buildspec.Job) []jobGroup {
	steps := stepsOf(jobs)
	var groups []jobGroup
	for i, job := range jobs {
		if n := len(groups); n > 0 && job.Shards > 1 && groups[n-1].takes(job, steps[i]) {
			groups[n-1].ids = append(groups[n-1].ids, job.ID)
			groups[n-1].shards++
			continue
		}
		groups = append(groups, jobGroup{first: job, ids: []string{job.ID}, step: steps[i], shards: 1})
	}
	slices.SortStableFunc(groups, func(a, b jobGroup) int { return a.step - b.step })
	return groups
}

// takes tells whether a job is the group's next shard.
func (g jobGroup) takes(job buildspec.Job, step int) bool {
	f := g.first
	return g.step == step && f.Shards == job.Shards && f.Shard == 0 && job.Shard == g.shards &&
		f.Image == job.Image && f.Compute == job.Compute && f.Buildspec == job.Buildspec && slices.Equal(f.DependsOn, job.DependsOn) &&
		slices.Equal(f.BatchEnv, job.BatchEnv) && stem(f.ID) == stem(job.ID)
}

// stem is the id of a shard without its number.
func stem(id string) string { return strings.TrimRight(id, "0123456789") }

// label names the group: a job by its id, shards by the first and the last.
func (g jobGroup) label() string {
	if g.shards == 1 {
		return oneLine(g.first.ID)
	}
	return oneLine(g.ids[0]) + "…" + strings.TrimPrefix(g.ids[len(g.ids)-1], stem(g.first.ID)) + " (" + strconv.Itoa(g.shards) + " shards)"
}

// dependencies names what a job waits for, with shards folded: the label of a group that it waits for as a whole.
func dependencies(job buildspec.Job, groups []jobGroup) []string {
	left := slices.Clone(job.DependsOn)
	var names []string
	for _, g := range groups {
		if g.shards == 1 || !containsAll(left, g.ids) {
			continue
		}
		names = append(names, g.label())
		left = slices.DeleteFunc(left, func(id string) bool { return slices.Contains(g.ids, id) })
	}
	for _, id := range left {
		names = append(names, oneLine(id))
	}
	return names
}

func containsAll(all, some []string) bool {
	for _, id := range some {
		if !slices.Contains(all, id) {
			return false
		}
	}
	return true
}
