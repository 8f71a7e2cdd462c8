package booking

import (
	"errors"
	"testing"
	"time"

	"example.com/rooms/internal/interval"
)

func TestGaps(t *testing.T) {
	c := newCalendar(t)
	for _, b := range []Booking{meeting(0, 60), meeting(60, 30), meeting(120, 15), meeting(400, 60)} {
		if _, err := c.Book(b); err != nil {
			t.Fatal(err)
		}
	}
	day := interval.Span{Start: nine, End: nine.Add(8 * time.Hour)}
	for _, test := range []struct {
		length time.Duration
		want   []int // the starts, in minutes after nine
	}{
		{10 * time.Minute, []int{90, 135, 460}},
		{30 * time.Minute, []int{90, 135}},
		{time.Hour, []int{135}},
		{5 * time.Hour, nil},
	} {
		gaps, err := c.Gaps("oak", day, test.length)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, gap := range gaps {
			got = append(got, int(gap.Start.Sub(nine).Minutes()))
		}
		if len(got) != len(test.want) {
			t.Errorf("gaps of %s start at %v, want %v", test.length, got, test.want)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("gaps of %s start at %v, want %v", test.length, got, test.want)
			}
		}
	}
}

func TestSuggestPrefersEarlyThenSmall(t *testing.T) {
	c := newCalendar(t)
	day := interval.Span{Start: nine, End: nine.Add(8 * time.Hour)}
	got, err := c.Suggest(3, day, time.Hour)
	if err != nil || got.Room.ID != "elm" {
		t.Errorf("three people get %v, %v; want elm", got, err)
	}
	elm := meeting(0, 90)
	elm.Room = "elm"
	if _, err := c.Book(elm); err != nil {
		t.Fatal(err)
	}
	if got, err = c.Suggest(3, day, time.Hour); err != nil || got.Room.ID != "oak" || !got.Span.Start.Equal(nine) {
		t.Errorf("with elm taken they get %v, %v; want oak at nine", got, err)
	}
	if _, err = c.Suggest(500, day, time.Hour); !errors.Is(err, ErrNotFound) {
		t.Errorf("five hundred seats: %v", err)
	}
}
