package history

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/runner-ci/runner/tests"
)

// maxRuns is how many runs are read side by side. When there are more, they are joined into one first.
const maxRuns = 64

// Bounds of what is held of one test while it is judged: a file may repeat a name without end.
const (
	maxSame      = 2000
	maxSameBytes = 4 << 20
)

// head is a run with the observation that comes next of it.
type head struct {
	r   *blobReader
	now observed
	raw []byte
}

func (h *head) advance() (more bool, err error) {
	line, err := h.r.next()
	if err != nil || line == nil {
		return false, err
	}
	h.now, h.raw = observed{}, line
	if err := json.Unmarshal(line, &h.now); err != nil {
		return false, fmt.Errorf("reading a stored test: %w", err)
	}
	return true, nil
}

type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h[i].now.compare(&h[j].now) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// walk visits the observations of all runs in their order.
func (s *Store) walk(runs []uint64, visit func(o *observed, raw []byte) error) error {
	var all heads
	for _, id := range runs {
		r, err := s.readBlob(id, place{})
		if err != nil {
			return err
		}
		h := &head{r: r}
		more, err := h.advance()
		if err != nil {
			return err
		}
		if more {
			all = append(all, h)
		}
	}
	heap.Init(&all)
	for len(all) > 0 {
		h := all[0]
		if err := visit(&h.now, h.raw); err != nil {
			return err
		}
		more, err := h.advance()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&all, 0)
		default:
			heap.Pop(&all)
		}
	}
	return nil
}

// compact joins runs into one where there are too many to read side by side.
func (s *Store) compact(r *row) error {
	for len(r.Runs) > maxRuns {
		w, err := s.newBlob()
		if err != nil {
			return err
		}
		err = s.walk(r.Runs[:maxRuns], func(_ *observed, raw []byte) error { return w.line(raw) })
		if err == nil {
			err = w.close()
		}
		if err != nil {
			return err
		}
		r.Runs = append(slices.Clone(r.Runs[maxRuns:]), w.id)
	}
	return nil
}

// Outcome is one test's outcome in a build, with the report groups that told of it.
type Outcome struct {
	tests.Outcome
	Groups []int `json:"groups,omitempty"` // places in Summary.Groups
}

// merging judges the tests of a build, one after the other.
type merging struct {
	row         *row
	all, bad    *blobWriter
	ran         map[string][]tests.Run // of the code that did not build in some run
	cases       map[tests.Run]time.Duration
	same        []observed
	bytes, over int
}

// merge judges all tests of a build anew, and writes the outcomes.
func (s *Store) merge(r *row) (err error) {
	m := &merging{row: r, cases: map[tests.Run]time.Duration{}, ran: map[string][]tests.Run{}}
	if m.all, err = s.newBlob(); err != nil {
		return err
	}
	if m.bad, err = s.newBlob(); err != nil {
		return err
	}
	r.Totals = tests.Totals{}
	for i := range r.Groups {
		r.Groups[i].Totals = tests.Totals{}
	}
	if len(r.Broken) > 0 {
		if err := s.walk(r.Runs, m.look); err != nil {
			return err
		}
	}
	if err := s.walk(r.Runs, m.visit); err != nil {
		return err
	}
	if err := m.judge(); err != nil {
		return err
	}
	if m.over > 0 {
		r.problem(tests.Problem{Text: fmt.Sprintf("%d cases are left out whose names are those of more than %d others", m.over, maxSame)})
	}
	r.Merged, r.Bad = m.all.id, m.bad.id
	m.times()
	if err := m.all.close(); err != nil {
		return err
	}
	return m.bad.close()
}

// look notes which code that did not build in some run was tested in others.
func (m *merging) look(o *observed, _ []byte) error {
	if o.Build {
		return nil
	}
	for _, name := range o.CodeNames() {
		if name != "" && m.row.Broken[name] && !slices.Contains(m.ran[name], o.Run) {
			m.ran[name] = append(m.ran[name], o.Run)
		}
	}
	return nil
}

func (m *merging) visit(o *observed, _ []byte) error {
	if len(m.same) > 0 && m.same[0].ID != o.ID {
		if err := m.judge(); err != nil {
			return err
		}
	}
	m.cases[o.Run] += o.Duration
	if o.Build && (m.mended(o.Suite, o.Run) || m.mended(o.File, o.Run)) {
		return nil
	}
	if len(m.same) >= maxSame {
		m.over++
		return nil
	}
	if m.bytes += len(o.Details) + len(o.Output); m.bytes > maxSameBytes {
		o.Details, o.Output = "", ""
	}
	m.same = append(m.same, *o)
	return nil
}

func (m *merging) mended(name string, broken tests.Run) bool {
	return slices.ContainsFunc(m.ran[name], func(r tests.Run) bool { return r.Later(broken) })
}

// judge ends the test whose observations have come together: the first of its name in each file is one test, the
// second another.
func (m *merging) judge() error {
	same := m.same
	m.same, m.bytes = nil, 0
	var nth [][]observed
	for from := 0; from < len(same); {
		to := from + 1
		for to < len(same) && same[to].Run == same[from].Run && same[to].Report == same[from].Report {
			to++
		}
		at := 0
		for i := from; i < to; i++ {
			if i > from && same[i].Once {
				nth[at-1][len(nth[at-1])-1].Again(same[i].Case)
				continue
			}
			if at == len(nth) {
				nth = append(nth, nil)
			}
			nth[at] = append(nth[at], same[i])
			at++
		}
		from = to
	}
	for i, all := range nth {
		if err := m.outcome(i, all); err != nil {
			return err
		}
	}
	return nil
}

// outcome judges one test and writes what it came to.
func (m *merging) outcome(nth int, all []observed) error {
	seen := make([]tests.Observation, len(all))
	byGroup := map[int][]tests.Observation{}
	var groups []int
	for i := range all {
		o := &all[i]
		if nth > 0 {
			o.ID = fmt.Sprintf("%s#%d", o.ID, nth+1)
		}
		seen[i] = tests.Observation{Case: &o.Case, Run: o.Run, Report: o.Report}
		if byGroup[o.Group] == nil {
			groups = append(groups, o.Group)
		}
		byGroup[o.Group] = append(byGroup[o.Group], seen[i])
	}
	out := Outcome{Outcome: tests.Judge(seen), Groups: groups}
	m.row.Totals.Count(&out.Outcome)
	for _, g := range groups {
		of := tests.Judge(byGroup[g])
		m.row.Groups[g].Totals.Count(&of)
	}
	if out.Status.Bad() || out.Flaky {
		if err := m.bad.add(&out); err != nil {
			return err
		}
	}
	return m.all.add(&out)
}

// times adds up the runs of each shard, as tests.Report does. Where jobs share a suite, others have no say: they would
// not have waited for each other in one job either.
func (m *merging) times() {
	r := m.row
	clocks := map[tests.Run]time.Duration{}
	shared := map[int]bool{}
	for _, c := range r.Clocks {
		clocks[c.Run] = max(clocks[c.Run], c.Took)
		if c.Shard {
			shared[c.Run.Shard] = true
		}
	}
	attempts := map[tests.Run]time.Duration{} // with their reruns, which are within their time
	for run, took := range m.cases {
		run.Round = 0
		attempts[run] += took
	}
	jobs := map[int]time.Duration{}
	for run, took := range attempts {
		jobs[run.Shard] += cmp.Or(clocks[run], took)
	}
	m.sum(jobs, shared)
	r.Line = ""
	if r.Totals.Total > 0 {
		report := tests.Report{Totals: r.Totals, Shards: r.Shards, Duration: r.Duration, Serial: r.Serial}
		r.Line = report.Summary()
	}
}

// sum brings the times of the jobs that had tests to those of the build.
func (m *merging) sum(jobs map[int]time.Duration, shared map[int]bool) {
	r := m.row
	r.Shards, r.Duration, r.Serial = 0, 0, 0
	longest := time.Duration(0)
	for job, took := range jobs {
		longest = max(longest, took)
		if shared[job] {
			r.Shards, r.Duration, r.Serial = r.Shards+1, max(r.Duration, took), r.Serial+took
		}
	}
	if r.Shards == 0 {
		r.Shards, r.Duration, r.Serial = min(1, len(jobs)), longest, longest
	}
}
