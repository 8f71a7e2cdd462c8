package quarantine

import (
	"fmt"
	"time"
)

// File is where a repository keeps its quarantine.
const File = ".runner/quarantine.yml"

// Bounds of the file.
const (
	MaxBytes   = 64 << 10
	MaxEntries = 500
	maxText    = 1000 // bytes of one value
	// MaxDays is how far ahead an entry may end. One that ends later is not in force.
	MaxDays = 90
)

// Entry quarantines a test, or several.
type Entry struct {
	Test   string `json:"test"`  // an id, a file, a class or package, or a pattern over one of them
	Owner  string `json:"owner"` // who mends it
	Until  string `json:"until"` // the last day, in UTC: YYYY-MM-DD
	Reason string `json:"reason,omitempty"`
	Line   int    `json:"line,omitempty"` // where it begins in the file, from 1
}

// String is the entry for people.
func (e *Entry) String() string {
	text := fmt.Sprintf("%s, owned by %s, until %s", e.Test, e.Owner, e.Until)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// State is whether an entry counts.
type State string

// The states of an entry.
const (
	InForce State = "in force"
	Expired State = "expired"
	TooLong State = "too long" // it ends more than MaxDays ahead, so it is not in force
)

// State is that of a moment.
func (e *Entry) State(now time.Time) State {
	until, err := time.Parse(time.DateOnly, e.Until)
	today := now.UTC().Truncate(24 * time.Hour)
	switch {
	case err != nil || until.Before(today):
		return Expired
	case until.After(today.AddDate(0, 0, MaxDays)):
		return TooLong
	}
	return InForce
}

// List is the entries of one file, in its order.
type List []Entry

// At are the entries that are in force at a moment.
func (l List) At(now time.Time) (in List) {
	for i := range l {
		if l[i].State(now) == InForce {
			in = append(in, l[i])
		}
	}
	return in
}
