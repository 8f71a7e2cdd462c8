package scheduler

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// testCall is one call of codebuild-tests-run, as all that share its tests see it. Its rows are a head, then what
// happened, in order: events of the queue, or answers for shares.
type testCall struct {
	id     string // in its build
	head   testHead
	queue  *testqueue.Queue // of the strategy queue, else nil
	shares *testShares      // of the strategy timing, else nil
	stored int              // rows
}

// testHead is a call's first row.
type testHead struct {
	Strategy string     `json:"strategy"`
	Job      string     `json:"job,omitempty"` // whose tests they are; empty: those of all shards of the build
	Shards   int        `json:"shards"`
	Again    bool       `json:"again,omitempty"`    // of a shard that began again
	Division *testSplit `json:"division,omitempty"` // of the strategy timing
	Parts    *testParts `json:"parts,omitempty"`    // this is no call, but what was decided before one
	Retry    *testRetry `json:"retry,omitempty"`    // nil: what fails is not tried again
}

// testRetry is how a call tries again what failed.
type testRetry struct {
	buildspec.TestRetry
	Rounds uint64 `json:"rounds,omitempty"` // that the call had before a shard began again
}

// callID names a call within its build. A job that is no shard has its tests for itself. A shard that begins again after
// its tests ended, as on-failure: RETRY asks, has a queue of its own each time.
func callID(call wire.TestCall, job string, again int) string {
	id := []byte(job + "\x00" + call.Phase + "\x00")
	id = binary.BigEndian.AppendUint32(id, uint32(call.Command))
	id = binary.BigEndian.AppendUint32(id, uint32(call.Call))
	return string(binary.BigEndian.AppendUint32(id, uint32(again)))
}

// testsPrefix is what the keys of a build's calls begin with.
func testsPrefix(build []byte) []byte { return append(bytes.Clone(build), 0) }

// testRow is the key of a call's n-th row.
func testRow(build []byte, id string, n int) []byte {
	return binary.BigEndian.AppendUint64(append(testsPrefix(build), id...), uint64(n))
}

// news are the rows that are not stored yet.
func (c *testCall) news() (rows []any) {
	done := c.stored
	if done == 0 {
		rows, done = append(rows, c.head), 1
	}
	if c.head.Parts != nil {
		return rows
	}
	if c.queue != nil {
		for _, e := range c.queue.Events(done - 1) {
			rows = append(rows, e)
		}
		return rows
	}
	for _, a := range c.shares.answers[done-1:] {
		rows = append(rows, a)
	}
	return rows
}

// loadTests reads the calls of a build.
func loadTests(tx *bbolt.Tx, build []byte, now time.Time) (map[string]*testCall, error) {
	calls := make(map[string]*testCall)
	events := make(map[string][]json.RawMessage)
	prefix := testsPrefix(build)
	c := tx.Bucket(bucketTestQueues).Cursor()
	for k, row := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, row = c.Next() {
		if len(k) < len(prefix)+8 {
			return nil, fmt.Errorf("a row of %s has the key %q", bucketTestQueues, k)
		}
		id := string(k[len(prefix) : len(k)-8])
		if calls[id] == nil {
			call := &testCall{id: id}
			if err := json.Unmarshal(row, &call.head); err != nil {
				return nil, fmt.Errorf("reading a row of %s: %w", bucketTestQueues, err)
			}
			calls[id] = call
			continue
		}
		events[id] = append(events[id], bytes.Clone(row))
	}
	for id, call := range calls {
		if err := call.read(events[id], now); err != nil {
			return nil, fmt.Errorf("reading the test queue %q: %w", id, err)
		}
		call.stored = 1 + len(events[id])
	}
	return calls, nil
}

// read brings a call to where its rows say it was.
func (c *testCall) read(rows []json.RawMessage, now time.Time) error {
	if c.head.Parts != nil {
		return nil
	}
	if c.head.Strategy == wire.StrategyTiming {
		if c.head.Division == nil {
			return fmt.Errorf("it has no division")
		}
		c.shares = &testShares{testSplit: *c.head.Division}
		return decodeAll(rows, &c.shares.answers)
	}
	var events []testqueue.Event
	err := decodeAll(rows, &events)
	if err == nil {
		c.queue, err = testqueue.Open(c.options(nil), now, events...)
	}
	return err
}

func decodeAll[T any](rows []json.RawMessage, to *[]T) error {
	for _, row := range rows {
		var one T
		if err := json.Unmarshal(row, &one); err != nil {
			return err
		}
		*to = append(*to, one)
	}
	return nil
}

func (c *testCall) options(known testqueue.History) testqueue.Options {
	out := testqueue.Options{Workers: c.head.Shards, History: known}
	if r := c.head.Retry; r != nil {
		out.Retry = testqueue.Retry{Each: r.Each, Items: r.Tests, Share: r.Share, Time: r.Time}
	}
	return out
}

// names are the tests, in the order that numbers them.
func (c *testCall) names() []string {
	if c.head.Parts != nil {
		return c.head.Parts.Split
	}
	if c.shares != nil {
		return c.shares.Names
	}
	if events := c.queue.Events(0); len(events) > 0 && events[0].List != nil {
		return events[0].List.Names
	}
	return nil
}
