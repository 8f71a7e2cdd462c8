// Package interval keeps spans of time and finds those that overlap another, in logarithmic time.
package interval

import "time"

// Span is the half-open stretch [Start, End).
type Span struct {
	Start, End time.Time
}

// Valid tells whether the span has a positive length.
func (s Span) Valid() bool { return s.Start.Before(s.End) }

// Overlaps tells whether the two spans share an instant. Spans that only touch do not.
func (s Span) Overlaps(other Span) bool {
	return s.Start.Before(other.End) && other.Start.Before(s.End)
}

// Length is how long the span lasts.
func (s Span) Length() time.Duration { return s.End.Sub(s.Start) }

// Shift moves the span by d.
func (s Span) Shift(d time.Duration) Span { return Span{s.Start.Add(d), s.End.Add(d)} }

func (s Span) compare(other Span) int {
	if c := s.Start.Compare(other.Start); c != 0 {
		return c
	}
	return s.End.Compare(other.End)
}
