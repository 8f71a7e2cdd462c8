package scheduler

import (
	"fmt"
	"slices"
	"time"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// testSplit is a suite that was divided once, by the durations that were known then. A shard has the same share in every
// attempt, and so have those of a retry.
type testSplit struct {
	First  string   `json:"first"` // the attempt that brought the list
	Names  []string `json:"names"`
	Shares [][]int  `json:"shares"` // by shard, in the order in which to run them
	Known  int      `json:"known"`  // tests whose durations were recorded
}

// testShares is a split with what was answered for it.
type testShares struct {
	testSplit
	answers []shareAnswer
}

// shareAnswer is what an attempt made of its shard's share.
type shareAnswer struct {
	Worker string `json:"worker"`
	Shard  int    `json:"shard"`
	Failed bool   `json:"failed,omitempty"`
	Took   int64  `json:"took"` // microseconds
}

// split divides a suite over shards.
func split(first string, names []string, shards int, known testqueue.History) *testSplit {
	items := known.Items(names)
	out := &testSplit{First: first, Names: names, Shares: make([][]int, shards)}
	for _, it := range items {
		if it.Known {
			out.Known++
		}
	}
	for shard, share := range testqueue.Split(items, shards) {
		out.Shares[shard] = []int{}
		for _, it := range share {
			i, _ := slices.BinarySearch(names, it.Name)
			out.Shares[shard] = append(out.Shares[shard], i)
		}
	}
	return out
}

// join checks that an attempt found the list that was divided.
func (t *testShares) join(worker string, names []string) error {
	if slices.Equal(names, t.Names) {
		return nil
	}
	// The queue's own words for a difference.
	q, err := testqueue.Open(testqueue.Options{}, time.Time{})
	if err == nil {
		err = q.Join(t.First, 0, t.Names, time.Time{})
	}
	if err == nil {
		err = q.Join(worker, 0, names, time.Time{})
	}
	return err
}

func (t *testShares) answered(worker string) (shareAnswer, bool) {
	for _, a := range t.answers {
		if a.Worker == worker {
			return a, true
		}
	}
	return shareAnswer{}, false
}

// take gives an attempt its shard's share, and after its answer the end.
func (t *testShares) take(worker string, shard int) wire.TestsAnswer {
	answer, answered := t.answered(worker)
	switch {
	case answered:
		return wire.TestsAnswer{Over: true, Fails: answer.Failed}
	case shard >= len(t.Shares) || len(t.Shares[shard]) == 0:
		return wire.TestsAnswer{Over: true, Why: "there are fewer tests than shards, nothing to do in this one"}
	}
	return wire.TestsAnswer{
		Token: shareToken(shard), Items: t.Shares[shard],
		Why: fmt.Sprintf("%d of %d tests by their durations, %d of which are known", len(t.Shares[shard]), len(t.Names), t.Known),
	}
}

func shareToken(shard int) uint64 { return uint64(shard) + 1 }

// done takes an attempt's answer, and tells what it teaches. An answer that is repeated changes nothing.
func (t *testShares) done(worker string, shard int, d wire.TestsDone) ([]testSample, error) {
	if _, answered := t.answered(worker); answered {
		return nil, nil
	}
	if shard >= len(t.Shares) || d.Token != shareToken(shard) {
		return nil, fmt.Errorf("batch %d: %w", d.Token, testqueue.ErrToken)
	}
	share := t.Shares[shard]
	a := shareAnswer{Worker: worker, Shard: shard, Took: millis(d.Millis).Microseconds()}
	var samples []testSample
	mine := make(map[int]bool, len(share))
	for _, i := range share {
		mine[i] = true
	}
	excused := false
	for _, r := range d.Results {
		if !mine[r.Item] {
			return nil, fmt.Errorf("the result for test %d is not asked for", r.Item)
		}
		outcome := testqueue.Outcome(r.Outcome)
		switch outcome {
		case testqueue.Passed:
		case testqueue.Quarantined:
			excused = true
		case testqueue.Failed, testqueue.Broken:
			a.Failed = true
		default:
			return nil, fmt.Errorf("the outcome of %s is %q, expected passed, failed, broken or quarantined", t.Names[r.Item], r.Outcome)
		}
		if took := millis(r.Millis); took > 0 {
			samples = append(samples, testSample{t.Names[r.Item], took, weightOf(outcome, true)})
		}
	}
	if len(d.Results) == 0 && d.Exit == 0 && len(share) > 0 { // each had its part, as far as anybody knows
		each := millis(d.Millis) / time.Duration(len(share))
		for _, i := range share {
			samples = append(samples, testSample{t.Names[i], each, weightOf(testqueue.Passed, len(share) == 1)})
		}
	}
	a.Failed = a.Failed || d.Exit != 0 && !(excused && len(d.Results) == len(share))
	t.answers = append(t.answers, a)
	return samples, nil
}

// millis is a duration that a job tells, up to a week.
func millis(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 7*24*3600*1000)) * time.Millisecond
}
