package scheduler

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/scheduler/testqueue"
)

// Bounds of what is kept of a project's durations: how many tests, and bytes of their names, which a buildspec makes up.
// Those that were seen longest ago go.
const (
	maxTestTimes     = 50_000
	maxTestTimeBytes = 8 << 20
)

// testTime is how long a test of a project takes, whatever the branch: a moving average.
type testTime struct {
	micros float64
	weight float64 // of all samples
	seen   uint64  // number of the newest build that ran it, of those that ran all tests
}

// testSample is what one run of a test teaches.
type testSample struct {
	name   string
	took   time.Duration
	weight float64
}

// newest is the least part that a sample with full weight has in the average, so that it follows a change in a few
// builds.
const newest = 0.3

// weightOf is 1 for a test that passed and was measured alone. The part of a batch's time that fell to a test by
// division says little, and so does one that failed, perhaps at once. One that could not be tried says nothing.
func weightOf(outcome testqueue.Outcome, measured bool) float64 {
	switch {
	case outcome == testqueue.Broken:
		return 0
	case measured && outcome == testqueue.Passed:
		return 1
	}
	return 0.25
}

func (t testTime) with(s testSample, build int) testTime {
	part := max(s.weight/(t.weight+s.weight), newest*s.weight)
	t.micros += part * (float64(s.took.Microseconds()) - t.micros)
	t.weight, t.seen = min(t.weight+s.weight, 1000), max(t.seen, uint64(build))
	return t
}

func (t testTime) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, math.Float64bits(t.micros))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(t.weight))
	return binary.BigEndian.AppendUint64(b, t.seen)
}

func testTimeOf(row []byte) (t testTime) {
	if len(row) == 24 {
		t.micros = math.Float64frombits(binary.BigEndian.Uint64(row))
		t.weight = math.Float64frombits(binary.BigEndian.Uint64(row[8:]))
		t.seen = binary.BigEndian.Uint64(row[16:])
	}
	return t
}

func (t testTime) took() time.Duration { return time.Duration(t.micros) * time.Microsecond }

func timesKey(project, name string) []byte { return []byte(project + "\x00" + name) }

// learnTimes takes samples of one build into a project's averages.
func learnTimes(tx *bbolt.Tx, project string, build int, samples []testSample) error {
	rows := tx.Bucket(bucketTestTimes)
	for _, s := range samples {
		if s.weight <= 0 || s.took <= 0 {
			continue
		}
		key := timesKey(project, s.name)
		if err := rows.Put(key, testTimeOf(rows.Get(key)).with(s, build).bytes()); err != nil {
			return err
		}
	}
	return nil
}

// runsPart tells whether a build was asked to run some of its project's tests alone: those that failed, or that match.
func runsPart(tx *bbolt.Tx, key []byte) (bool, error) {
	b, err := get[Build](tx, bucketBuilds, key)
	if err != nil {
		return false, err
	}
	t, err := triggerOf(tx, b)
	if err != nil {
		return false, unlessGone(err)
	}
	return t.FailedOnly || len(t.Override.Only) > 0, nil
}

// teaches is the number of the build that durations are learned of. What a build leaves out has not left the suite, so that one
// which runs a part says how long tests take, and not which tests there are.
func (b *testBook) teaches() int {
	if b.part {
		return 0
	}
	return b.number
}

// timesOf is what is known of these tests, and of the files that they are in.
func timesOf(tx *bbolt.Tx, project string, names []string) testqueue.History {
	known, rows := make(testqueue.History), tx.Bucket(bucketTestTimes)
	add := func(name string) {
		if took := testTimeOf(rows.Get(timesKey(project, name))).took(); took > 0 {
			known[name] = took
		}
	}
	for _, name := range names {
		add(name)
		if file, _, part := strings.Cut(name, testqueue.PartMark); part {
			add(file)
		}
	}
	return known
}

// recentBuilds is how many builds of a project a test may be missing from and still counts as part of its suite.
const recentBuilds = 10

// suiteOf is the suite of a project, as far as its recent builds have told it.
func suiteOf(tx *bbolt.Tx, project string) (testqueue.History, []string) {
	all, last := make(map[string]testTime), uint64(0)
	eachTime(tx, project, func(name string, t testTime) {
		all[name], last = t, max(last, t.seen)
	})
	known, names := make(testqueue.History), []string{}
	for name, t := range current(all) {
		if t.seen+recentBuilds > last && t.took() > 0 {
			known[name] = t.took()
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return known, names
}

func eachTime(tx *bbolt.Tx, project string, visit func(name string, t testTime)) {
	prefix := timesKey(project, "")
	c := tx.Bucket(bucketTestTimes).Cursor()
	for k, row := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, row = c.Next() {
		visit(string(k[len(prefix):]), testTimeOf(row))
	}
}

// trimTimes keeps the newest of a project's averages: no more than most, with no more bytes of names.
func trimTimes(tx *bbolt.Tx, project string, most, bytes int) error {
	type one struct {
		name string
		seen uint64
	}
	var all []one
	eachTime(tx, project, func(name string, t testTime) { all = append(all, one{name, t.seen}) })
	slices.SortFunc(all, func(a, b one) int { return cmp.Or(cmp.Compare(b.seen, a.seen), cmp.Compare(b.name, a.name)) })
	for i, o := range all {
		if bytes -= len(o.name); i < most && bytes >= 0 {
			continue
		}
		if err := tx.Bucket(bucketTestTimes).Delete(timesKey(project, o.name)); err != nil {
			return err
		}
	}
	return nil
}
