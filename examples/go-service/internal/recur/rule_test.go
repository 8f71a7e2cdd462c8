package recur

import (
	"slices"
	"testing"
	"time"
)

// monday is a Monday, and the second day of March.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

func dates(t *testing.T, rule string, start time.Time, n int) []string {
	t.Helper()
	r, err := Parse(rule)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for at := range r.From(start) {
		if at.Hour() != start.Hour() || at.Minute() != start.Minute() {
			t.Errorf("%s is not at %s", at, start.Format("15:04"))
		}
		got = append(got, at.Format("01-02"))
		if len(got) == n {
			break
		}
	}
	return got
}

func TestOccurrences(t *testing.T) {
	for _, c := range []struct {
		rule  string
		start time.Time
		want  []string
	}{
		{"FREQ=DAILY;COUNT=3", monday, []string{"03-02", "03-03", "03-04"}},
		{"FREQ=DAILY;INTERVAL=10;UNTIL=20260401T000000Z", monday, []string{"03-02", "03-12", "03-22"}},
		{"FREQ=WEEKLY", monday, []string{"03-02", "03-09", "03-16", "03-23"}},
		{"FREQ=WEEKLY;BYDAY=FR,TU", monday, []string{"03-03", "03-06", "03-10", "03-13"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU", monday, []string{"03-02", "03-08", "03-16", "03-22"}},
		{"FREQ=MONTHLY", monday, []string{"03-02", "04-02", "05-02", "06-02"}},
		{"FREQ=MONTHLY;BYDAY=-1FR", monday, []string{"03-27", "04-24", "05-29", "06-26"}},
		{"FREQ=MONTHLY;BYDAY=2TU;COUNT=2", monday, []string{"03-10", "04-14"}},
		{"FREQ=MONTHLY;BYDAY=5MO", monday, []string{"03-30", "06-29", "08-31", "11-30"}},
		{"FREQ=MONTHLY", monday.AddDate(0, 0, 29), []string{"03-31", "05-31", "07-31", "08-31"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := dates(t, c.rule, c.start, 4); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestExceptionsCount(t *testing.T) {
	r := Rule{Every: Daily, Count: 3, Except: []time.Time{monday.AddDate(0, 0, 1)}}
	if got := slices.Collect(r.From(monday)); len(got) != 2 || !got[1].Equal(monday.AddDate(0, 0, 2)) {
		t.Errorf("got %v", got)
	}
}

func TestRuleThatNeverMatchesEnds(t *testing.T) {
	r := Rule{Every: Monthly, Interval: 12}
	start := time.Date(2026, 2, 28, 8, 0, 0, 0, time.UTC)
	for at := range r.From(start) {
		if at.Year() > 2100 {
			break
		}
		if at.Month() != time.February {
			t.Fatalf("%s is not in February", at)
		}
	}
	for at := range (Rule{Every: Monthly, Interval: 12, Days: []time.Weekday{time.Monday}, Nth: 6}).From(start) {
		t.Fatalf("a month has no sixth Monday, got %s", at)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, rule := range []string{
		"", "FREQ", "FREQ=YEARLY", "INTERVAL=2", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=x", "FREQ=DAILY;BYDAY=MO",
		"FREQ=WEEKLY;BYDAY=2MO", "FREQ=MONTHLY;BYDAY=1MO,2TU", "FREQ=MONTHLY;BYDAY=9MO", "FREQ=MONTHLY;BYDAY=M",
		"FREQ=DAILY;COUNT=2;UNTIL=20260401T000000Z", "FREQ=DAILY;UNTIL=tomorrow", "FREQ=DAILY;BYHOUR=3",
	} {
		if r, err := Parse(rule); err == nil {
			t.Errorf("%q was read as %v", rule, r)
		}
	}
}

// TestRoundTrip writes and reads many rules; what comes back must have the same occurrences.
func TestRoundTrip(t *testing.T) {
	for _, every := range []Frequency{Daily, Weekly, Monthly} {
		for interval := range 5 {
			for mask := range 128 {
				r := Rule{Every: every, Interval: interval + 1, Count: 20}
				for day := range 7 {
					if every != Daily && mask>>day&1 == 1 {
						r.Days = append(r.Days, time.Weekday(day))
					}
				}
				again, err := Parse(r.String())
				if err != nil {
					t.Fatal(err)
				}
				want, got := slices.Collect(r.From(monday)), slices.Collect(again.From(monday))
				if !slices.EqualFunc(got, want, time.Time.Equal) || len(want) != 20 {
					t.Fatalf("%s: got %v, want %v", r, got, want)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FREQ=MONTHLY;BYDAY=-1FR;COUNT=12")
	f.Add("FREQ=WEEKLY;BYDAY=MO,,;UNTIL=")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		if _, err := Parse(r.String()); err != nil {
			t.Errorf("%q became %q: %v", text, r, err)
		}
	})
}
