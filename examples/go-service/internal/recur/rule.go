// Package recur says when something happens again: every second Tuesday, the last Friday of a month, ten times.
package recur

import (
	"iter"
	"slices"
	"time"
)

// Frequency is the unit that a rule counts in.
type Frequency int

// The frequencies.
const (
	Daily Frequency = iota + 1
	Weekly
	Monthly
)

// Rule is a recurrence. A rule without Count and Until never ends.
type Rule struct {
	Every    Frequency
	Interval int            // every n-th unit; 0 means 1
	Days     []time.Weekday // weekly and monthly: on these days only; empty means the first one's day
	Nth      int            // monthly with Days: the n-th of them, negative from the end; 0 means each
	Count    int            // occurrences in all; 0 means no limit
	Until    time.Time      // none after this instant; zero means no limit
	Except   []time.Time    // occurrences that do not happen, though they count
}

// maxEmpty bounds how many units in a row may pass without an occurrence, so that "the 31st, in February" ends.
const maxEmpty = 400

// From yields the occurrences, the first at or after start, which fixes the time of day.
func (r Rule) From(start time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		count, empty := 0, 0
		for unit := 0; empty < maxEmpty; unit++ {
			empty++
			for _, at := range r.unit(start, unit*max(r.Interval, 1)) {
				if at.Before(start) {
					continue
				}
				if !r.Until.IsZero() && at.After(r.Until) || r.Count > 0 && count == r.Count {
					return
				}
				empty = 0
				count++
				if !slices.ContainsFunc(r.Except, at.Equal) && !yield(at) {
					return
				}
			}
		}
	}
}

// unit lists the occurrences in the n-th day, week or month after the one of start.
func (r Rule) unit(start time.Time, n int) []time.Time {
	switch r.Every {
	case Weekly:
		return r.week(start, n)
	case Monthly:
		return r.month(start, n)
	default:
		return []time.Time{start.AddDate(0, 0, n)}
	}
}

func (r Rule) week(start time.Time, n int) []time.Time {
	if len(r.Days) == 0 {
		return []time.Time{start.AddDate(0, 0, 7*n)}
	}
	monday := start.AddDate(0, 0, 7*n-fromMonday(start.Weekday()))
	var all []time.Time
	for _, day := range r.Days {
		all = append(all, monday.AddDate(0, 0, fromMonday(day)))
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

func (r Rule) month(start time.Time, n int) []time.Time {
	first := time.Date(start.Year(), start.Month()+time.Month(n), 1, start.Hour(), start.Minute(), start.Second(), start.Nanosecond(), start.Location())
	if len(r.Days) == 0 {
		at := first.AddDate(0, 0, start.Day()-1)
		if at.Month() != first.Month() {
			return nil // a month without a 31st
		}
		return []time.Time{at}
	}
	var all []time.Time
	for at := first; at.Month() == first.Month(); at = at.AddDate(0, 0, 1) {
		if slices.Contains(r.Days, at.Weekday()) {
			all = append(all, at)
		}
	}
	switch {
	case r.Nth == 0:
		return all
	case r.Nth > 0 && r.Nth <= len(all):
		return all[r.Nth-1 : r.Nth]
	case r.Nth < 0 && -r.Nth <= len(all):
		return all[len(all)+r.Nth : len(all)+r.Nth+1]
	}
	return nil
}

func fromMonday(day time.Weekday) int { return (int(day) + 6) % 7 }
