// Package conformance holds one suite of tests for every executor, told as the stories that the daemon lives
// through: a job runs, a daemon dies and another takes over, a job tampers with its own record.
//
// An executor's own tests call Run. The executor and the agent it starts are the real ones; nothing is mocked.
package conformance

import (
	"testing"

	"github.com/runner-ci/runner/runner"
)

// New makes an executor for one story, and names an image that it can start. The image needs a POSIX shell with
// the usual small commands (cat, sleep, ln, mkfifo, mv, rm, readlink), as busybox has them, and nothing else.
//
// An executor that wants its sandboxes' directories in a place of its own may have a method
// SandboxDir(id string) string; the suite then makes the directory there.
type New func(t *testing.T) (ex runner.Executor, imageRef string)

// story is one test of the suite.
type story struct {
	name string
	tell func(t *testing.T, newExecutor New)
}

// Ability is something that only some executors can do. The others must refuse it with an error that says so.
type Ability string

// The abilities.
const (
	Services   Ability = "services"   // containers beside the job
	Privileged Ability = "privileged" // a sandbox in which an engine can run
)

// Run tells every story to executors made by newExecutor, which have these abilities and no others. The stories run
// one after the other.
func Run(t *testing.T, newExecutor func(t *testing.T) (runner.Executor, string), abilities ...Ability) {
	stories := []story{
		{"a job prints and succeeds", echo},
		{"the snapshot is never written to", snapshotStaysWhole},
		{"exit statuses are told as they are", exitStatuses},
		{"state lives across commands and phases", stateAcrossCommands},
		{"the standard input of commands is empty", stdinIsEmpty},
		{"stop ends a tree that ignores TERM", stopIgnoringTree},
		{"the time limit ends a job", timeLimit},
		{"detaching and attaching again loses and doubles nothing", detachAndAttach},
		{"a reader that stalls does not hold the job up", stalledReader},
		{"an older epoch is refused", olderEpoch},
		{"a second attempt is refused", secondAttempt},
		{"the result is readable after the agent ended alone", resultFromSpool},
		{"artifacts are a tar in the spool", artifactsInSpool},
		{"a job that truncates its record still ends", truncatedSpool},
		{"files swapped in the spool are not followed", swappedSpool},
		{"sandboxes do not see each other's workspace", separateWorkspaces},
		{"creating and removing twice is doing it once", twiceIsOnce},
		{"kill ends a sandbox and leaves its spool", killLeavesSpool},
		{"an unknown sandbox is said to be unknown", unknownSandbox},
		{"a file that is put into the spool is read by the job", putIsRead},
		{"a file is put whole or not at all", putIsWhole},
		{"what is put follows no link", putFollowsNoLink},
		{"the machine's capacity is told", capacityIsTold},
	}
	stories = append(stories, abilityStories(abilities)...)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) { s.tell(t, newExecutor) })
	}
}
