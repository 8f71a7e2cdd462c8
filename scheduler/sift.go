package scheduler

import (
	"fmt"
	"iter"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// maxSifted bounds the builds that one page of a list looks at which no index chooses. What lies behind them is on the next.
const maxSifted = 2000

// clockSlack is how far the clock may have been set back between two builds whose times choose where a list begins and ends.
const clockSlack = time.Hour

// sifted is as much of a build as tells whether a filter chooses it.
type sifted struct {
	Project string
	Number  int
	Seq     uint64
	Trigger string
	Commit  string
	Ref     string
	Title   string
	Author  string
	RetryOf string
	Status  Status
	Created time.Time
}

// indexed tells whether an index has exactly the builds that the filter chooses.
func (f Filter) indexed() bool {
	return f.Ref == "" && f.Kind == "" && f.Author == "" && f.Text == "" && f.Since.IsZero() && f.Until.IsZero()
}

// sift visits the builds that a filter chooses and whose sequence is below before, newest first. It gives up after
// maxSifted, and returns the sequence of the last that it looked at; 0 means that there are no more.
func sift(tx *bbolt.Tx, f Filter, before uint64, visit func(*Build) (more bool)) (last uint64, err error) {
	keys, err := f.keys(tx, before)
	if err != nil {
		return 0, err
	}
	looked := 0
	for key := range keys {
		row, err := get[sifted](tx, bucketBuilds, key)
		if err != nil {
			return 0, err
		}
		if f.older(row) {
			return 0, nil
		}
		if row.Seq < before && f.chooses(tx, row) {
			b, err := get[Build](tx, bucketBuilds, key)
			if err != nil || !visit(b) {
				return 0, err
			}
		}
		if looked++; looked == maxSifted {
			return row.Seq, nil
		}
	}
	return 0, nil
}

// keys walks the builds that may be chosen, newest first, along the index that leaves out most.
func (f Filter) keys(tx *bbolt.Tx, before uint64) (iter.Seq[[]byte], error) {
	if project, n, ok := f.number(tx); ok {
		return func(yield func([]byte) bool) { yield(buildKey(project, n)) }, nil
	}
	if !f.Until.IsZero() {
		at, err := seqAfter(tx, f.Until.Add(clockSlack))
		if err != nil {
			return nil, err
		}
		before = min(before, at)
	}
	if f.Project == "" || f.Ref == "" {
		return buildsBefore(tx, f, before)
	}
	first, err := numberBefore(tx, f.Project, before)
	if err != nil {
		return nil, err
	}
	in := refOf(f.Project, f.Ref)
	return func(yield func([]byte) bool) {
		for k := range backwards(tx.Bucket(bucketRefs), word(in), indexKey(in, uint64(first))) {
			if !yield(buildKey(f.Project, int(decodeNumber(k[len(k)-8:])))) {
				return
			}
		}
	}, nil
}

// number is the one build that the text names, as api#142, #142 or 142, where there is one.
func (f Filter) number(tx *bbolt.Tx) (project string, n int, ok bool) {
	project, digits, named := strings.Cut(f.Text, "#")
	if !named {
		project, digits = "", f.Text
	}
	if project == "" {
		project = f.Project
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || project == "" || f.Project != "" && project != f.Project {
		return "", 0, false
	}
	return project, n, has(tx, bucketBuilds, buildKey(project, n))
}

// chooses tells whether a build is one of those that are asked for.
func (f Filter) chooses(tx *bbolt.Tx, b *sifted) bool {
	switch {
	case f.Project != "" && f.Project != b.Project,
		f.Status != "" && f.Status != b.Status,
		f.Ref != "" && f.Ref != b.Ref,
		f.Author != "" && !within(b.Author, f.Author),
		!f.Since.IsZero() && b.Created.Before(f.Since),
		!f.Until.IsZero() && !b.Created.Before(f.Until):
		return false
	}
	return f.says(b) && (f.Kind == "" || f.Kind == kindOf(tx, b))
}

// older tells whether a build is so old that all behind it are, too.
func (f Filter) older(b *sifted) bool {
	return !f.Since.IsZero() && b.Created.Before(f.Since.Add(-clockSlack))
}

// says tells whether a build is what the text looks for: its title has it, its commit begins so, or that is its number.
func (f Filter) says(b *sifted) bool {
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	id := fmt.Sprintf("%s#%d", b.Project, b.Number)
	return within(b.Title, text) || len(text) >= minCommit && strings.HasPrefix(b.Commit, text) || strings.ToLower(id) == text ||
		text == strconv.Itoa(b.Number) || text == "#"+strconv.Itoa(b.Number)
}

// minCommit is how many digits of a commit are looked for.
const minCommit = 4

// within tells whether a text has another, in whatever case.
func within(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// kindOf tells what made a build: its trigger's kind, but for retries. Nothing is known where the trigger was forgotten.
func kindOf(tx *bbolt.Tx, b *sifted) TriggerKind {
	if b.RetryOf != "" {
		return KindRetry
	}
	seq, err := triggerSeq(b.Trigger)
	if err != nil {
		return ""
	}
	t, err := get[struct{ Kind TriggerKind }](tx, bucketTriggers, number(seq))
	if err != nil {
		return ""
	}
	return t.Kind
}

// seqAfter is a sequence below which all builds lie that were made before a time, as far as the clock was right.
func seqAfter(tx *bbolt.Tx, at time.Time) (uint64, error) {
	c := tx.Bucket(bucketOrder).Cursor()
	k, _ := c.Last()
	if k == nil {
		return noCursor, nil
	}
	var failed error
	last := decodeNumber(k)
	i := sort.Search(int(last), func(i int) bool {
		_, key := c.Seek(number(uint64(i) + 1)) // or the first after it that is still there
		if key == nil {
			return true
		}
		b, err := get[struct{ Created time.Time }](tx, bucketBuilds, key)
		if err != nil {
			failed = err
			return true
		}
		return !b.Created.Before(at)
	})
	return uint64(i) + 1, failed
}
