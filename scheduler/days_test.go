package scheduler

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestDaysCountWhatBecameOfBuilds(t *testing.T) {
	s := open(t, statePath(t))
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, b := range []struct {
			hours  int // ago
			status Status
			took   time.Duration
			ref    string
		}{
			{99, Failed, time.Minute, "main"}, // before the first day
			{60, Succeeded, 9 * time.Minute, "main"},
			{59, Succeeded, 2 * time.Minute, "main"},
			{58, Succeeded, 3 * time.Minute, "next"},
			{30, TimedOut, time.Hour, "main"},
			{29, Fault, time.Minute, "main"},
			{2, Stopped, time.Minute, "main"},
			{1, InProgress, 0, "main"},
		} {
			row := Build{Project: "api", Ref: "refs/heads/" + b.ref, Status: b.status, Created: now.Add(-time.Duration(b.hours) * time.Hour)}
			if b.status.Ended() {
				row.EndedAt = row.Created.Add(b.took)
			}
			if err := newBuild(tx, &row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	since := now.Add(-72 * time.Hour)
	days, all, whole, err := s.Days(Filter{Project: "api", Since: since}, now)
	if err != nil || len(days) != 4 || !whole.Equal(dayOf(since)) {
		t.Fatalf("%d days, whole from %v, %v", len(days), whole, err)
	}
	if d := days[1]; d.Succeeded != 3 || d.Median != 3*time.Minute || d.Slow != 9*time.Minute || d.Day.Day() != 3 {
		t.Errorf("the second day is %+v", d)
	}
	if d := days[2]; d.Failed != 1 || d.Faults != 1 || d.Succeeded != 0 || d.Median != 0 {
		t.Errorf("the third day is %+v", d)
	}
	if d := days[3]; d.Stopped != 1 || d.Running != 1 {
		t.Errorf("today is %+v", d)
	}
	if all.Succeeded != 3 || all.Failed != 1 || all.Faults != 1 || all.Stopped != 1 || all.Running != 1 {
		t.Errorf("all days are %+v", all)
	}
	if days, _, _, err = s.Days(Filter{Project: "api", Ref: "refs/heads/next", Since: since}, now); err != nil || days[1].Succeeded != 1 || days[2].Failed != 0 {
		t.Errorf("the days of one branch are %+v, %v", days, err)
	}
}

func TestBranchesComeWithTheirNewestBuild(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, ref := range []string{"heads/main", "heads/main", "heads/a", "tags/v1", "heads/main-2", "heads/a", "runner/submit/x", "pull/7/head", "heads/z/deep"} {
			for _, project := range []string{"api", "api-2"} {
				if err := newBuild(tx, &Build{Project: project, Ref: "refs/" + ref, Status: Succeeded, Created: time.Now()}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 2, 9} {
		var got []string
		for _, b := range pages(t, func(c string) ([]Build, string, error) { return s.Branches("api", c, limit) }) {
			got = append(got, b.Ref+" "+b.ID())
		}
		if want := []string{"refs/heads/z/deep api#9", "refs/heads/a api#6", "refs/heads/main-2 api#5", "refs/heads/main api#2"}; !slices.Equal(got, want) {
			t.Errorf("%d a page: %v, want %v", limit, got, want)
		}
	}
	if page, _, err := s.Branches("none", "", 5); err != nil || len(page) != 0 {
		t.Errorf("branches of no project: %v, %v", page, err)
	}
}
