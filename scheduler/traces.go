package scheduler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// What is to be exported of traces is a row, committed together with the end that it is of, and dropped once a collector
// has it: a daemon that dies in between exports it again, with the same ids, since they are derived from those of instance,
// build, job and attempt.

// dueTrace is a row of what nobody has exported yet: a job that has ended or, with an index below 0, a build.
type dueTrace struct {
	Build string `json:"build"`
	Index int    `json:"index"`
}

// DueTrace is what is to be exported next: a job with its attempts or, where Job is nil, the build and its trigger with
// the jobs that ended without an attempt of their own.
type DueTrace struct {
	Seq     uint64
	Build   Build // without its plan
	Trigger Trigger
	Job     *Job
	Unbegun []Job
}

// maxDueTraces bounds what waits for a collector. Beyond it, the oldest goes.
const maxDueTraces = 10_000

// UseTraces has what ends noted for NextTrace, and jobs given a traceparent. Call it before Start.
func (s *Scheduler) UseTraces() { s.traces = true }

func (s *Scheduler) dueTrace(tx *bbolt.Tx, build string, index int) error {
	if !s.traces {
		return nil
	}
	rows := tx.Bucket(bucketTraces)
	seq, err := rows.NextSequence()
	if err != nil {
		return err
	}
	if k, _ := rows.Cursor().First(); k != nil && seq-decodeNumber(k) >= maxDueTraces {
		if err := rows.Delete(k); err != nil {
			return err
		}
		tx.OnCommit(func() { s.meter.Trace("dropped") })
	}
	return put(tx, bucketTraces, number(seq), dueTrace{build, index})
}

// TracesKick gets a value, coalesced, when there is more to export.
func (s *Scheduler) TracesKick() <-chan struct{} { return s.tracesKick }

// NextTrace returns what is to be exported next, or nil. It stays due until TraceDone, also with an error that wraps
// ErrNotFound: then nothing is left of it.
func (s *Scheduler) NextTrace() (next *DueTrace, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		k, raw := tx.Bucket(bucketTraces).Cursor().First()
		if k == nil {
			return nil
		}
		next = &DueTrace{Seq: decodeNumber(k)}
		var due dueTrace
		if err := json.Unmarshal(raw, &due); err != nil {
			return fmt.Errorf("a row of %s cannot be read (%v): %w", bucketTraces, err, ErrNotFound)
		}
		return next.read(tx, due)
	})
	return next, err
}

func (d *DueTrace) read(tx *bbolt.Tx, due dueTrace) error {
	key, err := keyOf(due.Build)
	if err != nil {
		return err
	}
	b, err := get[Build](tx, bucketBuilds, key)
	if err != nil {
		return fmt.Errorf("build %s: %w", due.Build, err)
	}
	d.Build = *b
	if due.Index >= 0 {
		d.Job, err = get[Job](tx, bucketJobs, jobKey(key, due.Index))
		return err
	}
	if seq, err := triggerSeq(b.Trigger); err == nil {
		if t, err := get[Trigger](tx, bucketTriggers, number(seq)); err == nil {
			d.Trigger = *t
		}
	}
	jobs, err := jobsOf(tx, key)
	for i := range jobs {
		if j := &jobs[i]; j.TakenFrom == "" && !j.endedByAttempt() {
			d.Unbegun = append(d.Unbegun, *j)
		}
	}
	return err
}

// endedByAttempt tells whether a job ended with the result of its last attempt.
func (j *Job) endedByAttempt() bool {
	return len(j.Attempts) > 0 && j.newest().EndedAt.Equal(j.EndedAt)
}

// TraceDone says that what NextTrace returned has been exported, or never will be.
func (s *Scheduler) TraceDone(d *DueTrace) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTraces).Delete(number(d.Seq)) })
}

// applyCommands takes commands into an attempt's row; what is told again changes nothing.
func applyCommands(a *Attempt, told []runner.Command) {
	for _, c := range told {
		at := slices.IndexFunc(a.Commands, func(k runner.Command) bool {
			return k.Phase == c.Phase && k.Index == c.Index && k.Finally == c.Finally && k.Began.Equal(c.Began)
		})
		switch {
		case c.Began.IsZero():
			for i := len(a.Commands) - 1; i >= 0; i-- {
				if k := &a.Commands[i]; k.Phase == c.Phase && k.Index == c.Index {
					k.Ended, k.End, k.Exit, k.Took = true, c.End, c.Exit, c.Took
					break
				}
			}
		case at < 0 && len(a.Commands) < runner.MaxCommands:
			a.Commands = append(a.Commands, c)
		}
	}
}

// TraceID is the id of a build's trace.
func TraceID(instance, build string) (id [16]byte) {
	sum := sha256.Sum256([]byte("trace\x00" + instance + "\x00" + build))
	copy(id[:], sum[:])
	return id
}

// SpanID is the id of a part of a build's trace, by the path to it: job, attempt, phase, command.
func SpanID(instance, build string, path ...string) (id [8]byte) {
	text := "span\x00" + instance + "\x00" + build
	for _, p := range path {
		text += "\x00" + p
	}
	sum := sha256.Sum256([]byte(text))
	copy(id[:], sum[:])
	return id
}

// traceparent lets the tools of an attempt add to its build's trace (https://www.w3.org/TR/trace-context/).
func (s *Scheduler) traceparent(l leased) []wire.Var {
	if !s.traces {
		return nil
	}
	trace := TraceID(s.instance, l.build.ID())
	span := SpanID(s.instance, l.build.ID(), l.job.ID, strconv.Itoa(l.attempt.Number))
	return []wire.Var{{Name: "TRACEPARENT", Value: "00-" + hex.EncodeToString(trace[:]) + "-" + hex.EncodeToString(span[:]) + "-01"}}
}
