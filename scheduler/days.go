package scheduler

import (
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// maxCounted bounds the builds that Days looks at, from the newest on.
const maxCounted = 5_000

// Day is what became of the builds of a project that were made on one day, in UTC.
type Day struct {
	Day                                time.Time
	Succeeded, Failed, Faults, Stopped int
	Running                            int
	Median, Slow                       time.Duration // of those that succeeded: half took less, and nine of ten
	took                               []time.Duration
}

// Days counts the builds that a filter chooses, day by day, the oldest first and without gaps, and all of them as one. Where
// there are more than maxCounted, the days before whole are not counted, or not whole.
func (s *Scheduler) Days(f Filter, now time.Time) (days []Day, all Day, whole time.Time, err error) {
	first, today := dayOf(f.Since), dayOf(now)
	f.Since = first
	for d := first; !d.After(today); d = d.AddDate(0, 0, 1) {
		days = append(days, Day{Day: d})
	}
	all, whole = Day{Day: first}, first
	looked := 0
	err = s.db.View(func(tx *bbolt.Tx) error {
		keys, err := f.keys(tx, noCursor)
		if err != nil {
			return err
		}
		for key := range keys {
			b, err := get[dayRow](tx, bucketBuilds, key)
			if err != nil {
				return err
			}
			if f.older(&b.sifted) {
				return nil
			}
			if looked++; looked > maxCounted {
				whole = dayOf(b.Created).AddDate(0, 0, 1)
				return nil
			}
			if i := int(dayOf(b.Created).Sub(first) / (24 * time.Hour)); i >= 0 && i < len(days) && f.chooses(tx, &b.sifted) {
				days[i].count(b)
				all.count(b)
			}
		}
		return nil
	})
	for i := range days {
		days[i].sum()
	}
	all.sum()
	return days, all, whole, err
}

// dayRow is as much of a build as Days looks at.
type dayRow struct {
	sifted
	Ended time.Time
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func (d *Day) count(b *dayRow) {
	switch b.Status {
	case Succeeded:
		d.Succeeded++
		d.took = append(d.took, max(0, b.Ended.Sub(b.Created)))
	case Failed, TimedOut:
		d.Failed++
	case Fault:
		d.Faults++
	case Stopped:
		d.Stopped++
	default:
		d.Running++
	}
}

func (d *Day) sum() {
	if n := len(d.took); n > 0 {
		slices.Sort(d.took)
		d.Median, d.Slow = d.took[n/2], d.took[min(n-1, n*9/10)]
	}
	d.took = nil
}
