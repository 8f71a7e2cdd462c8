package scheduler

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// When a test file is worth splitting into its tests: every shard then builds it and lists what is in it, so it must
// last for a while, and longer than is fair.
const (
	leastToSplit = 2 * time.Second
	longToSplit  = 30 * time.Second // and more than half of a shard's part
	mostToSplit  = 64
)

// testParts is what was decided about splitting files of a call. It is stored before the first shard hears it, so that
// all make the same finer list.
type testParts struct {
	Split []string `json:"split"`
}

// partsJob tells the row of what was decided from that of the call itself.
const partsJob = "\x01parts"

// Split implements runner.TestQueue. Whoever asks later, a retry of the build included, is told what the first was told.
func (a *attemptTests) Split(_ context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error) {
	if err := checkCall(call, strategy, names); err != nil {
		return refuse(err), nil
	}
	return a.with(func(b *testBook) (wire.TestsAnswer, error) {
		id := callID(call, a.job+partsJob, 0)
		c := b.calls[id]
		if c == nil {
			if err := room(b, nil); err != nil {
				return refuse(err), nil
			}
			var err error
			if c, err = a.decideParts(b, call, id, names); err != nil {
				return wire.TestsAnswer{}, err
			}
		}
		answer := wire.TestsAnswer{}
		for _, name := range c.head.Parts.Split {
			if i, found := slices.BinarySearch(names, name); found {
				answer.Split = append(answer.Split, i)
			}
		}
		return answer, a.s.storeCall(b, c, nil)
	})
}

// decideParts decides which files of a call are split. It is not stored yet.
func (a *attemptTests) decideParts(b *testBook, call wire.TestCall, id string, names []string) (*testCall, error) {
	c := &testCall{id: id, head: testHead{Job: a.job, Shards: a.shards, Parts: &testParts{}}}
	begun := callID(call, a.job, 0)
	former := b.calls[begun]
	if former == nil {
		var err error
		if former, err = a.s.formerCall(a.build, begun); err != nil {
			return nil, err
		}
	}
	if former != nil { // its list is the one that this shard must bring
		c.head.Parts.Split = splitIn(former.names())
		return c, nil
	}
	err := a.s.db.View(func(tx *bbolt.Tx) error {
		c.head.Parts.Split = worthSplitting(wholeTimes(tx, b.project).Items(names), a.shards)
		return nil
	})
	return c, err
}

// splitIn are the files that a list has by their tests.
func splitIn(names []string) (files []string) {
	for _, name := range names {
		if file, _, part := strings.Cut(name, testqueue.PartMark); part {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// worthSplitting are the files that take longer than is fair to the shard that gets them, the longest first where there
// are many.
func worthSplitting(items []testqueue.Item, shards int) (names []string) {
	if shards < 2 {
		return nil
	}
	var all time.Duration
	for _, it := range items {
		all += it.Took
	}
	fair := all / time.Duration(shards)
	slices.SortFunc(items, func(a, b testqueue.Item) int { return cmp.Compare(b.Took, a.Took) })
	for _, it := range items {
		if it.Known && it.Took > leastToSplit && (it.Took > fair || it.Took > longToSplit && it.Took > fair/2) && len(names) < mostToSplit {
			names = append(names, it.Name)
		}
	}
	return names
}

// wholeTimes is how long the files of a project take as a whole: one that ran by its tests the sum of those, as they
// were in its newest builds.
func wholeTimes(tx *bbolt.Tx, project string) testqueue.History {
	all := make(map[string]testTime)
	eachTime(tx, project, func(name string, t testTime) { all[name] = t })
	whole := make(testqueue.History)
	for name, t := range current(all) {
		file, _, _ := strings.Cut(name, testqueue.PartMark)
		whole[file] += t.took()
	}
	return whole
}

// current leaves of what is known about files and their tests what was seen last: a file that ran by its tests since is
// not counted as a whole too, nor the other way round, nor tests that have left it.
func current(all map[string]testTime) map[string]testTime {
	newest := make(map[string]uint64) // by file, of its tests
	for name, t := range all {
		if file, _, part := strings.Cut(name, testqueue.PartMark); part {
			newest[file] = max(newest[file], t.seen)
		}
	}
	kept := make(map[string]testTime, len(all))
	for name, t := range all {
		file, _, part := strings.Cut(name, testqueue.PartMark)
		parts, split := newest[file]
		if whole, known := all[file]; known && split && (parts >= whole.seen) != part {
			continue
		}
		if part && t.seen+recentBuilds <= parts {
			continue
		}
		kept[name] = t
	}
	return kept
}
