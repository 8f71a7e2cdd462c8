package scheduler

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// narrow leaves of a plan what its trigger asks for: of a batch the jobs that match, with all that they depend on. Of a
// fanout all shards stay, and codebuild-tests-run leaves out the tests that do not match.
func narrow(plan *buildspec.Plan, only []string) *planFailure {
	switch {
	case len(only) == 0:
		return nil
	case plan.Batch == "fanout":
		plan.Note = joinNotes(plan.Note, "of the tests only those that match "+strings.Join(only, " or "))
		return nil
	case plan.Batch == "":
		return notThere("the build is one job, so there is nothing to choose from: --only chooses jobs of a batch, or tests of a build-fanout")
	}
	wanted := make(map[string]bool)
	for _, pattern := range only {
		found := false
		for i := range plan.Jobs {
			if j := &plan.Jobs[i]; jobMatches(pattern, j) {
				found, wanted[j.ID] = true, true
			}
		}
		if !found {
			return notThere(fmt.Sprintf("no job of the batch matches %q; it has %s", pattern, someJobs(plan)))
		}
	}
	for grown := true; grown; {
		grown = false
		for i := range plan.Jobs {
			if !wanted[plan.Jobs[i].ID] {
				continue
			}
			for _, id := range plan.Jobs[i].DependsOn {
				grown = grown || !wanted[id]
				wanted[id] = true
			}
		}
	}
	all := len(plan.Jobs)
	plan.Jobs = slices.DeleteFunc(slices.Clone(plan.Jobs), func(j buildspec.Job) bool { return !wanted[j.ID] })
	plan.Note = joinNotes(plan.Note, fmt.Sprintf("%d of %d jobs, as --only says", len(plan.Jobs), all))
	return nil
}

func jobMatches(pattern string, j *buildspec.Job) bool {
	for _, name := range []string{j.ID, j.Name} {
		if ok, err := path.Match(pattern, name); name == pattern || ok && err == nil {
			return true
		}
	}
	return false
}

func notThere(message string) *planFailure {
	return &planFailure{status: Failed, reason: "override", message: message}
}

// someJobs names the first jobs of a plan.
func someJobs(plan *buildspec.Plan) string {
	const most = 20
	var names []string
	for i := range plan.Jobs[:min(len(plan.Jobs), most)] {
		names = append(names, plan.Jobs[i].ID)
	}
	list := strings.Join(names, ", ")
	if more := len(plan.Jobs) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// onlyTests tells codebuild-tests-run of a shard which tests are wanted.
func onlyTests(pj *buildspec.Job, only []string) []wire.Var {
	if pj.Shards == 0 || len(only) == 0 {
		return nil
	}
	return []wire.Var{{Name: wire.OnlyVar, Value: strings.Join(only, "\n")}}
}
