package terminal

import "github.com/runner-ci/runner/buildspec"

// stepsOf numbers the jobs of a plan by when they can start at the earliest: 0 waits for none, n for at least one of
// n-1. Jobs that wait for each other, which no checked plan has, come last.
func stepsOf(jobs []buildspec.Job) []int {
	index := make(map[string]int, len(jobs))
	for i, job := range jobs {
		index[job.ID] = i
	}
	steps, open := make([]int, len(jobs)), make([]int, len(jobs))
	followers := make([][]int, len(jobs))
	for i, job := range jobs {
		for _, id := range job.DependsOn {
			if before, known := index[id]; known {
				open[i]++
				followers[before] = append(followers[before], i)
			}
		}
	}
	var ready []int
	for i := range jobs {
		if open[i] == 0 {
			ready = append(ready, i)
		}
	}
	last := 0
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		last = max(last, steps[i])
		for _, next := range followers[i] {
			steps[next] = max(steps[next], steps[i]+1)
			if open[next]--; open[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	for i := range jobs {
		if open[i] > 0 {
			steps[i] = last + 1
		}
	}
	return steps
}

// inSteps groups the jobs' ids by step.
func inSteps(jobs []buildspec.Job) [][]string {
	steps := [][]string{}
	for i, step := range stepsOf(jobs) {
		for len(steps) <= step {
			steps = append(steps, []string{})
		}
		steps[step] = append(steps[step], jobs[i].ID)
	}
	return steps
}
