package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// dueReports is a row of reports that nobody has read yet: those of one attempt, or, with Ended, the word that a build
// has no more to tell. It is committed together with the result, so that a restart reads what a crash left unread.
type dueReports struct {
	Build   string `json:"build"`
	Index   int    `json:"index"` // of the job in the plan
	Attempt int    `json:"attempt,omitempty"`
	Ended   bool   `json:"ended,omitempty"`
}

// DueReports is what is to be read next: the reports of an attempt of a job or, without one, the end of the build.
type DueReports struct {
	Seq     uint64
	Build   Build // without its plan
	Index   int   // of the job in the plan
	Shard   bool  // the job is one of a fan-out
	Attempt *Attempt
	More    bool // what is due after it are reports of the same build
}

func putDue(tx *bbolt.Tx, due dueReports) error {
	reports := tx.Bucket(bucketReports)
	seq, err := reports.NextSequence()
	if err != nil {
		return err
	}
	return put(tx, bucketReports, number(seq), due)
}

// dueOf says that the reports of an attempt are to be read, if it left any.
func dueOf(tx *bbolt.Tx, build string, index int, a *Attempt) error {
	if a.Reports == nil {
		return nil
	}
	return putDue(tx, dueReports{Build: build, Index: index, Attempt: a.Number})
}

// dueTaken says the same of the results that a retry took over from another build: its report is of all its jobs.
func dueTaken(tx *bbolt.Tx, build string, jobs []Job) error {
	for i := range jobs {
		if jobs[i].TakenFrom == "" {
			continue
		}
		for k := range jobs[i].Attempts {
			if err := dueOf(tx, build, i, &jobs[i].Attempts[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// dueEnd says that a build has ended, if any of its jobs left reports.
func dueEnd(tx *bbolt.Tx, build string, jobs []Job) error {
	for i := range jobs {
		for k := range jobs[i].Attempts {
			if jobs[i].Attempts[k].Reports != nil {
				return putDue(tx, dueReports{Build: build, Ended: true})
			}
		}
	}
	return nil
}

// NextReports returns what is to be read next, or nil. It stays due until ReportsRead, also with an error that wraps
// ErrNotFound: then nothing is left to be read of it.
func (s *Scheduler) NextReports() (next *DueReports, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketReports).Cursor()
		k, raw := c.First()
		if k == nil {
			return nil
		}
		next = &DueReports{Seq: decodeNumber(k)}
		var due dueReports
		if err := json.Unmarshal(raw, &due); err != nil {
			return fmt.Errorf("reading a row of %s: %w", bucketReports, err)
		}
		var after dueReports
		if _, raw := c.Next(); raw != nil && json.Unmarshal(raw, &after) == nil {
			next.More = after.Build == due.Build && !after.Ended
		}
		key, err := keyOf(due.Build)
		if err != nil {
			return err
		}
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return fmt.Errorf("build %s: %w", due.Build, err)
		}
		next.Build, next.Index = *b, due.Index
		if due.Ended {
			return nil
		}
		j, err := get[Job](tx, bucketJobs, jobKey(key, due.Index))
		if err != nil {
			return fmt.Errorf("job %d of build %s: %w", due.Index, due.Build, err)
		}
		next.Shard = j.Shards > 1
		for i := range j.Attempts {
			if j.Attempts[i].Number == due.Attempt {
				next.Attempt = &j.Attempts[i]
				return nil
			}
		}
		return fmt.Errorf("attempt %d of job %s of build %s: %w", due.Attempt, j.ID, due.Build, ErrNotFound)
	})
	return next, err
}

// ReportsRead says that what NextReports returned has been read.
func (s *Scheduler) ReportsRead(d *DueReports) error {
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketReports).Delete(number(d.Seq)) })
	if err == nil {
		s.hub.tell(d.Build.ID())
	}
	return err
}

// TestsChanged tells the watchers of a build that more is known of its tests, and the forge of one that still runs.
func (s *Scheduler) TestsChanged(build string) {
	s.hub.tell(build)
	b, err := s.Build(build)
	if err != nil || b.Tells == "" || b.Status.Ended() {
		return
	}
	err = s.group.update(func(tx *bbolt.Tx) error { return s.tellStatus(tx, &b, true) })
	if err != nil {
		s.log.Error("having the forge told of a test that failed; it is told of the end", "build", build, "error", err)
	}
}

// ReportsDue tells whether reports of a build are still to be read.
func (s *Scheduler) ReportsDue(build string) (due bool, err error) {
	stop := errors.New("found")
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketReports).ForEach(func(_, raw []byte) error {
			var d dueReports
			if err := json.Unmarshal(raw, &d); err == nil && d.Build == build {
				return stop
			}
			return nil
		})
	})
	if errors.Is(err, stop) {
		return true, nil
	}
	return false, err
}

// ReportsKick gets a value, coalesced, when reports became due.
func (s *Scheduler) ReportsKick() <-chan struct{} { return s.reportsKick }
