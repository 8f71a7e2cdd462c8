package openapi

import (
	"slices"

	"github.com/runner-ci/runner/client"
)

// The words of the API. A test holds those that come from the scheduler against its own.
var (
	statuses     = []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"}
	kinds        = []string{"push", "tag", "pull_request", "release", "comment", "submit", "manual", "retry", "schedule", "registry"}
	outcomes     = []string{"pending", "built", "skipped", "waiting"}
	jobStates    = []string{"blocked", "queued", "leased", "ended"}
	testStatuses = []string{"SUCCEEDED", "FAILED", "ERROR", "SKIPPED", "UNKNOWN"}
)

// vocabulary says what a property can be, by schema and property. New reasons may come with a new release.
func vocabulary() map[string][]string {
	reasons := make([]string, len(client.Reasons))
	for i, r := range client.Reasons {
		reasons[i] = r.Word
	}
	reasons = slices.Compact(slices.Sorted(slices.Values(reasons)))
	return map[string][]string{
		"Build.status": statuses, "Build.kind": withNone(kinds), "Build.reason": reasons,
		"Job.status": withNone(statuses), "Job.state": jobStates, "Job.reason": reasons,
		"Attempt.status": statuses, "Attempt.reason": reasons,
		"Phase.status": statuses,
		"Proof.kind":   kinds,
		"Trigger.kind": kinds, "Trigger.outcome": outcomes,
		"TestCase.status": testStatuses, "TestTry.status": testStatuses, "TestResult.status": testStatuses,
		"TestGroup.status": {"SUCCEEDED", "FAILED", "INCOMPLETE"},
		"Project.managed":  withNone([]string{"file", "api"}),
	}
}

// withNone are words where there may be none yet.
func withNone(words []string) []string { return append(slices.Clone(words), "") }
