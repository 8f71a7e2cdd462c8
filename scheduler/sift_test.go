package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// spread stores builds of two projects, branches, authors and kinds, an hour apart, the oldest first.
func spread(t testing.TB, s *Scheduler, n int) (first time.Time) {
	t.Helper()
	first = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	kinds := []TriggerKind{KindPush, KindPullRequest, KindSchedule}
	triggers := make([]Trigger, len(kinds))
	for i, kind := range kinds {
		triggers[i] = accept(t, s, Trigger{Kind: kind, Projects: []string{"api"}, Commit: "c0ffee", Skip: "for its kind alone"})
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i := range n {
			b := Build{
				Project: []string{"api", "web"}[i%2], Trigger: triggers[i%3].ID, Ref: []string{"refs/heads/main", "refs/heads/next"}[i/2%2],
				Author: []string{"Ada Lovelace", "Grace Hopper"}[i/4%2], Title: fmt.Sprint("Change thing ", i), Commit: fmt.Sprintf("%040x", 0xabc0000+i),
				Status: []Status{Succeeded, Failed}[i/8%2], Created: first.Add(time.Duration(i) * time.Hour),
			}
			if i == 5 {
				b.RetryOf = "web#1"
			}
			if err := newBuild(tx, &b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func TestBuildsAreFoundByWhatIsKnownOfThem(t *testing.T) {
	s := open(t, statePath(t))
	first := spread(t, s, 24)
	for name, c := range map[string]struct {
		filter Filter
		want   []string
	}{
		"ref of a project":          {Filter{Project: "api", Ref: "refs/heads/next"}, []string{"api#12", "api#10", "api#8", "api#6", "api#4", "api#2"}},
		"ref of all":                {Filter{Ref: "refs/heads/next", Status: Failed}, []string{"web#8", "api#8", "web#6", "api#6"}},
		"ref with a status":         {Filter{Project: "api", Ref: "refs/heads/next", Status: Failed}, []string{"api#8", "api#6"}},
		"a ref is no prefix":        {Filter{Project: "api", Ref: "refs/heads/nex"}, nil},
		"kind":                      {Filter{Project: "api", Kind: KindPush}, []string{"api#10", "api#7", "api#4", "api#1"}},
		"a retry has its own":       {Filter{Kind: KindRetry}, []string{"web#3"}},
		"part of an author":         {Filter{Project: "api", Author: "hopper", Status: Failed}, []string{"api#8", "api#7"}},
		"part of a title":           {Filter{Text: "THING 7"}, []string{"web#4"}},
		"beginning of a commit":     {Filter{Text: "0000"}, []string{"web#12", "api#12", "web#11", "api#11", "web#10", "api#10", "web#9", "api#9", "web#8", "api#8", "web#7", "api#7", "web#6", "api#6", "web#5", "api#5", "web#4", "api#4", "web#3", "api#3", "web#2", "api#2", "web#1", "api#1"}},
		"number":                    {Filter{Project: "web", Text: "11"}, []string{"web#11"}},
		"number with its sign":      {Filter{Project: "web", Text: "#11"}, []string{"web#11"}},
		"a whole id":                {Filter{Text: "api#4"}, []string{"api#4"}},
		"an id of another project":  {Filter{Project: "web", Text: "api#4"}, nil},
		"a number that is not":      {Filter{Project: "web", Text: "#99"}, nil},
		"number and another branch": {Filter{Project: "api", Text: "4", Ref: "refs/heads/main"}, nil},
		"since":                     {Filter{Since: first.Add(22 * time.Hour)}, []string{"web#12", "api#12"}},
		"until":                     {Filter{Until: first.Add(2 * time.Hour)}, []string{"web#1", "api#1"}},
		"between":                   {Filter{Project: "api", Since: first.Add(4 * time.Hour), Until: first.Add(8 * time.Hour)}, []string{"api#4", "api#3"}},
		"running ones of a branch":  {Filter{Ref: "refs/heads/main", Status: InProgress}, nil},
	} {
		for _, limit := range []int{1, 5, 50} {
			var got []string
			for _, b := range pages(t, func(cursor string) ([]Build, string, error) { return s.Builds(c.filter, cursor, limit) }) {
				got = append(got, b.ID())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, %d a page: %v, want %v", name, limit, got, c.want)
			}
		}
	}
}

// TestASiftedPageIsBounded: however little a filter chooses, one page looks at so many builds and says where the next goes on.
func TestASiftedPageIsBounded(t *testing.T) {
	s := open(t, statePath(t))
	spread(t, s, maxSifted+10)
	f := Filter{Text: "no title says this"}
	page, next, err := s.Builds(f, "", 50)
	if err != nil || len(page) != 0 || next == "" {
		t.Fatalf("%d builds, next %q, %v", len(page), next, err)
	}
	if page, next, err = s.Builds(f, next, 50); err != nil || len(page) != 0 || next != "" {
		t.Fatalf("the second page: %d builds, next %q, %v", len(page), next, err)
	}
	f = Filter{Text: "api#1", Project: "api"}
	if page, next, err = s.Builds(f, "", 50); err != nil || len(page) != 1 || next != "" {
		t.Errorf("a build of that number, behind all others: %d builds, next %q, %v", len(page), next, err)
	}
}
