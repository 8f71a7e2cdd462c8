package terminal

import (
	"testing"
	"time"
)

func TestATokenThatEndsSoonShowsTheTimeOfDay(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)
	for at, want := range map[time.Time]string{
		{}:                           "never",
		now.Add(-time.Second):        "expired",
		now.Add(2 * time.Hour):       "2026-05-04 14:00",
		now.Add(90 * 24 * time.Hour): "2026-08-02",
	} {
		if got := expiry(at, now); got != want {
			t.Errorf("%v is shown as %q, want %q", at, got, want)
		}
	}
}
