package scheduler

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"sort"

	"go.etcd.io/bbolt"
)

// Lists are read along an index, whatever chooses their rows, so that a page costs the same among a hundred builds and
// among a hundred thousand. What is open is few, and needs no index but that of active builds.

// indexKey is a word and a number after it, in the order of numbers.
func indexKey(word string, n uint64) []byte { return buildKey(word, int(n)) }

// statusOf is the word in bucketEndedOf for the ended builds of a project.
func statusOf(project string, s Status) string { return project + "\x00" + string(s) }

// refOf is the word in bucketRefs for the builds of a ref. Refs hold no NUL.
func refOf(project, ref string) string { return project + "\x00" + ref }

// indexBuild brings the indexes of builds up to date. The build's former row is still the stored one.
func indexBuild(tx *bbolt.Tx, key []byte, b *Build) error {
	if b.Ref != "" {
		if k := indexKey(refOf(b.Project, b.Ref), uint64(b.Number)); !has(tx, bucketRefs, k) { // it is there from the start nearly always
			if err := tx.Bucket(bucketRefs).Put(k, nil); err != nil {
				return err
			}
		}
	}
	if err := indexGroup(tx, key, b); err != nil || !b.Status.Ended() {
		return err
	}
	return indexEnded(tx, key, b)
}

func indexEnded(tx *bbolt.Tx, key []byte, b *Build) error {
	before, err := get[struct{ Status Status }](tx, bucketBuilds, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	ended, of := tx.Bucket(bucketEnded), tx.Bucket(bucketEndedOf)
	if before != nil && before.Status.Ended() && before.Status != b.Status {
		err := errors.Join(ended.Delete(indexKey(string(before.Status), b.Seq)), of.Delete(indexKey(statusOf(b.Project, before.Status), uint64(b.Number))))
		if err != nil {
			return err
		}
	}
	if err := ended.Put(indexKey(string(b.Status), b.Seq), key); err != nil {
		return err
	}
	return of.Put(indexKey(statusOf(b.Project, b.Status), uint64(b.Number)), nil)
}

// indexOutcome brings the index of triggers up to date: a trigger is below its outcome alone. Those that are pending have
// an index of their own.
func indexOutcome(tx *bbolt.Tx, seq []byte, o Outcome) error {
	b := tx.Bucket(bucketOutcomes)
	for _, other := range []Outcome{OutcomeBuilt, OutcomeSkipped, OutcomeWaiting} {
		key := indexKey(string(other), decodeNumber(seq))
		if other != o {
			if err := b.Delete(key); err != nil {
				return err
			}
		} else if err := b.Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// has tells whether a bucket has a key, also where its value is empty.
func has(tx *bbolt.Tx, bucket, key []byte) bool {
	k, _ := tx.Bucket(bucket).Cursor().Seek(key)
	return bytes.Equal(k, key)
}

// backwards walks the keys of a bucket that begin with a prefix and lie below a key, the last first.
func backwards(b *bbolt.Bucket, prefix, below []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := seekBefore(c, below); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// word is the part of an index's keys before their number.
func word(s string) []byte { return append([]byte(s), 0) }

// buildsBefore walks the keys of builds that a filter may choose, newest first, along the index that fits it. Those with
// a sequence of before or above are left out where the index knows no sequences, before the first that is visited.
func buildsBefore(tx *bbolt.Tx, f Filter, before uint64) (iter.Seq[[]byte], error) {
	values := func(all iter.Seq2[[]byte, []byte]) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for _, v := range all {
				if !yield(v) {
					return
				}
			}
		}
	}
	switch {
	case f.Status == InProgress:
		return activeBefore(tx, before)
	case f.Project == "" && f.Status == "":
		return values(backwards(tx.Bucket(bucketOrder), nil, number(before))), nil
	case f.Project == "":
		return values(backwards(tx.Bucket(bucketEnded), word(string(f.Status)), indexKey(string(f.Status), before))), nil
	}
	first, err := numberBefore(tx, f.Project, before)
	if err != nil {
		return nil, err
	}
	all := backwards(tx.Bucket(bucketBuilds), word(f.Project), indexKey(f.Project, first))
	if f.Status != "" {
		in := statusOf(f.Project, f.Status)
		all = backwards(tx.Bucket(bucketEndedOf), word(in), indexKey(in, first))
	}
	return func(yield func([]byte) bool) {
		for k := range all {
			if !yield(buildKey(f.Project, int(decodeNumber(k[len(k)-8:])))) {
				return
			}
		}
	}, nil
}

// triggersBefore walks the keys of triggers with an outcome ("" for all) and a smaller sequence, newest first.
func triggersBefore(tx *bbolt.Tx, o Outcome, before uint64) iter.Seq[[]byte] {
	all := backwards(tx.Bucket(bucketTriggers), nil, number(before))
	switch o {
	case "":
	case OutcomePending:
		all = backwards(tx.Bucket(bucketPending), nil, number(before))
	default:
		all = backwards(tx.Bucket(bucketOutcomes), word(string(o)), indexKey(string(o), before))
	}
	return func(yield func([]byte) bool) {
		for k := range all {
			if !yield(k[len(k)-8:]) {
				return
			}
		}
	}
}

// activeBefore is buildsBefore for builds that have not ended.
func activeBefore(tx *bbolt.Tx, before uint64) (iter.Seq[[]byte], error) {
	type row struct {
		seq uint64
		key []byte
	}
	var rows []row
	err := tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
		b, err := get[struct{ Seq uint64 }](tx, bucketBuilds, key)
		if err == nil && b.Seq < before {
			rows = append(rows, row{b.Seq, key})
		}
		return err
	})
	slices.SortFunc(rows, func(a, b row) int { return int(b.seq) - int(a.seq) })
	return func(yield func([]byte) bool) {
		for _, r := range rows {
			if !yield(r.key) {
				return
			}
		}
	}, err
}

// numberBefore is a number that no build of a project has which comes before a sequence, and below which all such builds
// lie: both count up together. Builds may be missing that Forget removed.
func numberBefore(tx *bbolt.Tx, project string, before uint64) (uint64, error) {
	last := lastNumber(tx, project)
	if before == noCursor {
		return uint64(last) + 1, nil
	}
	var failed error
	c, prefix := tx.Bucket(bucketBuilds).Cursor(), word(project)
	i := sort.Search(last, func(i int) bool {
		key, _ := c.Seek(buildKey(project, i+1)) // or the first after it that is still there
		if !bytes.HasPrefix(key, prefix) {
			return true
		}
		b, err := get[struct{ Seq uint64 }](tx, bucketBuilds, key)
		if err != nil {
			failed = err
			return true
		}
		return b.Seq >= before
	})
	return uint64(i) + 1, failed
}

// noCursor is above every sequence.
const noCursor = ^uint64(0)
