package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
)

// runBytes is about how many bytes of cases are sorted in memory at a time.
const runBytes = 4 << 20

// Attempt is which attempt of which job of a build told of its tests.
type Attempt struct {
	Job int // its place in the plan
	Run tests.Run
	// Took is how long the phases of the job took that may run tests, without what it waited for other shards.
	Took time.Duration
	// Shard tells that the job is one of several that share a suite.
	Shard bool
}

func (a Attempt) key() string { return fmt.Sprintf("%d@%d", a.Job, a.Run.Attempt) }

// observed is one case as it is stored until the build ends.
type observed struct {
	tests.Case
	Run    tests.Run
	Report string
	Group  int
	Seq    int // order within the attempt
	Once   bool
}

func (o *observed) compare(p *observed) int {
	return cmp.Or(cmp.Compare(o.ID, p.ID), cmp.Compare(o.Run.Round, p.Run.Round), cmp.Compare(o.Run.Shard, p.Run.Shard),
		cmp.Compare(o.Run.Attempt, p.Run.Attempt), cmp.Compare(o.Report, p.Report), cmp.Compare(o.Seq, p.Seq))
}

// Intake takes in what one attempt told of its tests. End it with Commit or Abandon.
type Intake struct {
	s       *Store
	row     *row
	of      Attempt
	seq     int
	pending []sized
	bytes   int
	runs    []uint64
	files   map[string]*tests.FileCoverage
	covered int  // estimated bytes of files
	full    bool // cases are left out
	lost    int  // files whose coverage is left out
}

// sized is a case, encoded at once, so that what is held in memory is known.
type sized struct {
	key  observed // without texts, for the order
	line []byte
}

// Begin begins to take in an attempt. It returns nil when that was done before.
func (s *Store) Begin(b Build, of Attempt) (*Intake, error) {
	s.writing.Lock()
	r, err := s.row(b.Project, b.Number)
	switch {
	case errors.Is(err, ErrNotFound):
		r = &row{Summary: Summary{Build: b}}
	case err != nil:
		s.writing.Unlock()
		return nil, err
	case r.Taken[of.key()] || r.Final:
		s.writing.Unlock()
		return nil, nil
	}
	if r.Taken == nil {
		r.Taken = map[string]bool{}
	}
	if r.Broken == nil {
		r.Broken = map[string]bool{}
	}
	r.Taken[of.key()] = true
	r.Clocks = append(r.Clocks, clock{of.Run, of.Took, of.Shard})
	return &Intake{s: s, row: r, of: of, files: map[string]*tests.FileCoverage{}}, nil
}

// Group brings a report group in, of which the attempt left so many files, and returns its number for Case.
func (in *Intake) Group(name, format string, files int, discovered bool) int {
	i, ok := in.row.group(name, format)
	if !ok {
		in.Problem(name, fmt.Errorf("the build has more than %d report groups: this one is counted with the first", MaxGroups))
		return 0
	}
	g := &in.row.Groups[i]
	g.Files += files
	g.Discovered = discovered
	return i
}

// Incomplete says that a group lacks something.
func (in *Intake) Incomplete(group int) { in.row.Groups[group].Incomplete = true }

// Problem notes why a report file could not be read to its end.
func (in *Intake) Problem(report string, err error) {
	in.row.problem(tests.Problem{Run: in.of.Run, Report: report, Text: err.Error()})
}

// Round says that what follows is of a rerun of tests that failed, see tests.Run; 0 for the first pass.
func (in *Intake) Round(round int) { in.of.Run.Round = round }

// ErrFull means that a build has all the cases that are kept of it. Reading on would only keep other builds waiting.
var ErrFull = errors.New("the build has as many cases as are kept of one")

// Case takes one case in, or tells by ErrFull that it and what follows is left out.
func (in *Intake) Case(group int, report string, c *tests.Case) error {
	if in.full = in.full || in.row.Cases >= in.s.maxCases; in.full {
		return ErrFull
	}
	if c.ID == "" {
		c.ID = tests.Identify(c)
	}
	o := observed{Case: *c, Run: in.of.Run, Report: report, Group: group, Seq: in.seq + 1, Once: c.Unique}
	line, err := json.Marshal(&o)
	if err != nil {
		return fmt.Errorf("encoding test %s: %w", c.ID, err)
	}
	if in.row.Bytes+int64(len(line)) > in.s.maxBytes {
		in.full = true
		return ErrFull
	}
	in.row.Cases, in.row.Bytes, in.seq = in.row.Cases+1, in.row.Bytes+int64(len(line)), in.seq+1
	if c.Build {
		in.broken(c)
	}
	key := observed{Case: tests.Case{ID: c.ID}, Run: o.Run, Report: report, Seq: o.Seq}
	in.pending = append(in.pending, sized{key, line})
	in.bytes += len(line) + len(c.ID) + 512
	if in.bytes >= in.s.runBytes {
		return in.flush()
	}
	return nil
}

// maxBroken bounds the names of code that did not build.
const maxBroken = 1000

func (in *Intake) broken(c *tests.Case) {
	for _, name := range [...]string{c.Suite, c.File} {
		if name != "" && len(in.row.Broken) < maxBroken {
			in.row.Broken[name] = true
		}
	}
}

// flush writes the pending cases as a run.
func (in *Intake) flush() error {
	if len(in.pending) == 0 {
		return nil
	}
	slices.SortFunc(in.pending, func(a, b sized) int { return a.key.compare(&b.key) })
	w, err := in.s.newBlob()
	if err != nil {
		return err
	}
	for _, p := range in.pending {
		if err := w.line(p.line); err != nil {
			return err
		}
	}
	in.runs = append(in.runs, w.id)
	in.pending, in.bytes = nil, 0
	return w.close()
}

// File takes the coverage of one source file in.
func (in *Intake) File(f *tests.FileCoverage) error {
	in.cover(f)
	return nil
}

func (in *Intake) cover(f *tests.FileCoverage) {
	size := 300 + 2*len(f.Path) + 8*(len(f.Known)+len(f.Hit)) + 64*(len(f.Arms)+len(f.Counts))
	if in.covered+size > MaxCoverage {
		in.lost++
		return
	}
	in.covered += size
	if old := in.files[f.Path]; old != nil {
		old.Join(f)
		return
	}
	in.files[f.Path] = f
}

// Commit makes what was taken in part of the build's report. With more, another attempt of the build is about to be taken
// in: the tests are stored, and counted with those of that one.
func (in *Intake) Commit(more bool) error {
	defer in.s.writing.Unlock()
	if err := in.flush(); err != nil {
		return err
	}
	if in.full {
		in.Problem("", fmt.Errorf("cases are left out: the build has more than %d, or they take more than %d MiB", in.s.maxCases, in.s.maxBytes>>20))
	}
	old := []uint64{in.row.Merged, in.row.Bad, in.row.Coverage}
	old = append(old, in.row.Runs...)
	in.row.Runs = append(in.row.Runs, in.runs...)
	err := in.joinCoverage()
	if err == nil {
		err = in.s.compact(in.row)
	}
	if in.row.Unmerged = more; err == nil && !more {
		err = in.s.merge(in.row)
	}
	if err != nil {
		return err
	}
	return in.s.publish(in.row, old)
}

// Abandon ends an intake that failed. Nothing of it is seen.
func (in *Intake) Abandon() { in.s.writing.Unlock() }

// publish makes a row what is known of its build, and lets go of blobs that it names no longer.
func (s *Store) publish(r *row, old []uint64) error {
	named := append([]uint64{r.Merged, r.Bad, r.Coverage}, r.Runs...)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, b := range named {
			if err := keep(tx, b); err != nil {
				return err
			}
		}
		for _, b := range old {
			if !slices.Contains(named, b) {
				if err := loosen(tx, b); err != nil {
					return err
				}
			}
		}
		return putRow(tx, r)
	})
	if err != nil {
		return err
	}
	return s.dropLoose()
}

// joinCoverage joins the coverage of the attempt to the build's.
func (in *Intake) joinCoverage() error {
	if len(in.files) == 0 && in.lost == 0 {
		return nil
	}
	r, err := in.s.readBlob(in.row.Coverage, place{})
	if err != nil {
		return err
	}
	for {
		line, err := r.next()
		if err != nil {
			return err
		}
		if line == nil {
			break
		}
		f := new(tests.FileCoverage)
		if err := json.Unmarshal(line, f); err != nil {
			return fmt.Errorf("reading the coverage of %s: %w", in.row.Build.ID(), err)
		}
		in.cover(f)
	}
	if in.lost > 0 {
		in.Problem("", fmt.Errorf("the coverage of %d source files is left out: that of the build takes more than %d bytes", in.lost, MaxCoverage))
	}
	w, err := in.s.newBlob()
	if err != nil {
		return err
	}
	in.row.Coverage, in.row.Lines, in.row.Branches, in.row.CoveredFiles = w.id, tests.Count{}, tests.Count{}, len(in.files)
	for _, name := range slices.Sorted(maps.Keys(in.files)) {
		f := in.files[name]
		add(&in.row.Lines, f.LineTotals())
		add(&in.row.Branches, f.BranchTotals())
		if err := w.add(f); err != nil {
			return err
		}
	}
	return w.close()
}

func add(to *tests.Count, c tests.Count) {
	to.Covered += c.Covered
	to.Total += c.Total
}
