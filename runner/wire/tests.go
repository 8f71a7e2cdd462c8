package wire

import "fmt"

// TestCall names one call of codebuild-tests-run in a job. All shards of a build make the same calls, so the shards of
// one call share its tests.
type TestCall struct {
	Phase   string `json:"phase"`
	Command int    `json:"command"` // index in the phase, from 0
	Call    int    `json:"call"`    // within the command, from 0
}

// Strategies by which the daemon divides tests. The agent knows equal-distribution and stability by itself.
const (
	StrategyTiming = "timing" // longest first by recorded durations, fixed when the call begins
	StrategyQueue  = "queue"  // shards pull what comes next
)

// TestsRequest is one step of a call: first Join, then Take and Done in turn until an offer says that nothing is left.
// One of the three is set.
type TestsRequest struct {
	Call TestCall   `json:"call"`
	Join *TestsJoin `json:"join,omitempty"`
	Take *TestsTake `json:"take,omitempty"`
	Done *TestsDone `json:"done,omitempty"`
}

// TestsJoin tells which tests this shard found. They lie in the spool's directory, one a line, sorted, each once, without
// "./" in front, in the file that TestListFile names; items are numbered by their lines, from 0.
type TestsJoin struct {
	Strategy string `json:"strategy"`
	List     int    `json:"list"`            // number of the file
	Names    int    `json:"names"`           // how many lines
	Split    bool   `json:"split,omitempty"` // only asks which files to split into their tests; the shard joins with the finer list
}

// TestsTake asks for the next tests. The same Request is the same question, asked again after a daemon's restart.
type TestsTake struct {
	Request uint64 `json:"request"`
}

// TestsDone answers a batch.
type TestsDone struct {
	Token   uint64       `json:"token"`
	Exit    int          `json:"exit"` // of the test command
	Millis  int64        `json:"millis"`
	Results []TestResult `json:"results,omitempty"` // of items whose own result is known
	Early   int          `json:"early,omitempty"`   // how often the job has told of early reports
	From    int          `json:"from,omitempty"`    // number of the first of these that belong to the answer; Early where none do
	Strict  bool         `json:"strict,omitempty"`  // nothing explains a failure but the tests that its result names
}

// TestResult is how one item of a batch ended: "passed", "failed" or "broken" (it could not be tried at all).
type TestResult struct {
	Item    int    `json:"item"`
	Outcome string `json:"outcome"`
	Millis  int64  `json:"millis,omitempty"`

	// Of an item that failed for its tests alone, all of which ran: Tests are the ids of those that failed, as reports
	// know them, and Failed their names within the item, by which they can be tried again. Both may be left out.
	Tests  []string `json:"tests,omitempty"`
	Failed []string `json:"failed,omitempty"`
}

// TestsAnswer answers a TestsRequest. Refused says why the shard must fail: it found other tests than the first one,
// or was given up. After Take there is a batch, or Over, or WaitMillis to ask again.
type TestsAnswer struct {
	Refused    string `json:"refused,omitempty"`
	Strategy   string `json:"strategy,omitempty"` // after Join: what is done, as the project's settings may have it
	Why        string `json:"why,omitempty"`      // a sentence for the log
	Split      []int  `json:"split,omitempty"`    // after Join with Split: files that all shards list by their tests
	Token      uint64 `json:"token,omitempty"`
	Items      []int  `json:"items,omitempty"`
	Over       bool   `json:"over,omitempty"`
	WaitMillis int64  `json:"waitMillis,omitempty"`
	Each       bool   `json:"each,omitempty"`  // after Take: each item's own result is needed, since what fails is tried again
	Round      uint64 `json:"round,omitempty"` // after Take: of a batch with items that failed before; grows from one such batch to the next

	Only map[int][]string `json:"only,omitempty"` // after Take: of items that are tried again, the tests that failed; the others need not run

	Again []int `json:"again,omitempty"` // after Done: items that failed and are tried again, on whatever shard
	Flaky []int `json:"flaky,omitempty"` // after Done: items that failed before and passed now
	Alone []int `json:"alone,omitempty"` // after Take: items to run by themselves, unless go test tells how each ended
	Fails bool  `json:"fails,omitempty"` // after Over: some test failed in the end, so the call fails
}

// Alive tells that a shard still works on a batch. It is sent every AliveEvery while one runs, and never spooled.
type Alive struct {
	Call  TestCall `json:"call"`
	Token uint64   `json:"token"`
}

// AliveEvery is how many seconds lie between signs of life.
const AliveEvery = 10

// OnlyVar is the variable of a job that says which tests are wanted: patterns, one a line.
const OnlyVar = "RUNNER_ONLY"

// MaxTests bounds the items of one call, MaxTestList the bytes of its list, and MaxTestLists the lists of a job.
const (
	MaxTests     = 100_000
	MaxTestList  = 16 << 20
	MaxTestLists = 1_000
)

// TestListFile names the file of a job's n-th list, from 0.
func TestListFile(n int) string { return fmt.Sprintf("tests-%d.list", n) }
