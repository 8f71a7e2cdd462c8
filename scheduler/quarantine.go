package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/source"
	"github.com/runner-ci/runner/tests/quarantine"
)

// QuarantineInForce are the entries by which failed tests of the build do not count.
func (b *Build) QuarantineInForce() quarantine.List { return b.Quarantine.At(b.Created) }

// NewestBuild is the newest build of a project on one of some refs that has come to its jobs; nil where none of the newest
// has.
func (s *Scheduler) NewestBuild(project string, refs []string) (newest *Build, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		for _, ref := range refs {
			b, err := newestStarted(tx, project, ref)
			if err != nil {
				return err
			}
			if b != nil && (newest == nil || b.Number > newest.Number) {
				newest = b
			}
		}
		return nil
	})
	return newest, err
}

func newestStarted(tx *bbolt.Tx, project, ref string) (*Build, error) {
	left, in := maxLookedAt, refOf(project, ref)
	for k := range backwards(tx.Bucket(bucketRefs), word(in), indexKey(in, noCursor)) {
		b, err := get[Build](tx, bucketBuilds, buildKey(project, int(decodeNumber(k[len(k)-8:]))))
		if err != nil || !b.Started.IsZero() {
			return b, err
		}
		if left--; left == 0 {
			break
		}
	}
	return nil, nil
}

// maxLookedAt bounds the builds of a branch among which the newest that has started is looked for.
const maxLookedAt = 1000

// maxTooOld bounds the warnings about single entries of a quarantine.
const maxTooOld = 10

// readQuarantine reads which tests the commit quarantines. What is wrong with the file fails no build: it is a warning,
// and no quarantine is in force. A retry reads it anew, since entries end by the day.
func (s *Scheduler) readQuarantine(ctx context.Context, remote source.Remote, b *Build) {
	text, err := s.source.ReadFile(ctx, remote.URL, b.Commit, quarantine.File, quarantine.MaxBytes)
	if plainlyMissing(err) {
		return
	}
	if err == nil {
		b.Quarantine, err = quarantine.Parse(quarantine.File, text)
	}
	if err != nil {
		why := err.Error()
		var wrong *quarantine.Error
		if errors.As(err, &wrong) {
			why = wrong.Brief()
		}
		b.Warnings = append(b.Warnings, fmt.Sprintf("no quarantine is in force, because %s cannot be read: %s", quarantine.File, why))
		return
	}
	b.warnOfQuarantine()
}

// plainlyMissing tells whether there is no such file; a symbolic link or a directory in its place is a mistake.
func plainlyMissing(err error) bool {
	var fetch *source.FetchError
	return errors.Is(err, fs.ErrNotExist) && !(errors.As(err, &fetch) && strings.HasPrefix(fetch.Hint, "it is a "))
}

// warnOfQuarantine tells of the entries that are not in force.
func (b *Build) warnOfQuarantine() {
	told := 0
	for i := range b.Quarantine {
		e := &b.Quarantine[i]
		state := e.State(b.Created)
		if state == quarantine.InForce {
			continue
		}
		if told++; told > maxTooOld {
			continue
		}
		text := fmt.Sprintf("the quarantine of %s, owned by %s, ended on %s: mend the test, and take the entry out of %s", e.Test, e.Owner, e.Until, quarantine.File)
		if state == quarantine.TooLong {
			text = fmt.Sprintf("the quarantine of %s, owned by %s, is not in force: %s is more than %d days ahead, and a quarantine without end is a deleted test; name an earlier day in %s", e.Test, e.Owner, e.Until, quarantine.MaxDays, quarantine.File)
		}
		b.Warnings = append(b.Warnings, text)
	}
	if more := told - maxTooOld; more > 0 {
		b.Warnings = append(b.Warnings, fmt.Sprintf("%d more entries of %s are not in force", more, quarantine.File))
	}
}
