package testqueue

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestItemsOfUnknownNames(t *testing.T) {
	h := History{"a/x.py": 2 * time.Second, "a/y.py": 4 * time.Second, "a/z.py": 100 * time.Second, "b/q.js": 7 * time.Second, "gone.py": time.Hour, "zero.py": 0}
	for _, c := range []struct {
		name string
		took time.Duration
	}{
		{"a/new.py", 4 * time.Second}, // its directory and extension
		{"c/new.py", 4 * time.Second}, // its extension
		{"c/new.js", 7 * time.Second},
		{"c/new.rb", 4 * time.Second}, // all
		{"zero.py", 4 * time.Second},
	} {
		names := []string{"a/x.py", "a/y.py", "a/z.py", "b/q.js", c.name}
		got := h.Items(names)[4]
		if want := (Item{c.name, c.took, false}); got != want {
			t.Errorf("%s: %+v, expected %+v", c.name, got, want)
		}
	}
	if got := (History)(nil).Items([]string{"a"})[0]; got != (Item{"a", time.Second, false}) {
		t.Errorf("nothing is recorded: %+v", got)
	}
}

func TestSplit(t *testing.T) {
	items := func(text string) (items []Item) {
		for _, word := range strings.Fields(text) {
			name, seconds, _ := strings.Cut(word, "=")
			took, err := time.ParseDuration(seconds)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, Item{name, took, true})
		}
		return items
	}
	for _, c := range []struct {
		name, items string
		workers     int
		ready       []time.Duration
		want        string
	}{
		{"longest first", "a=1s b=5s c=4s d=3s e=3s", 2, nil, "b e | c d a"},
		{"ties by name, by count", "d=1s a=1s c=1s b=1s e=1s", 2, nil, "a c e | b d"},
		{"a late worker gets less", "a=1s b=1s c=1s d=1s", 2, []time.Duration{0, 2 * time.Second}, "a b c | d"},
		{"more workers than items", "a=1s", 3, nil, "a |  | "},
		{"no items", "", 2, nil, " | "},
		{"no workers", "a=1s", 0, nil, "a"},
	} {
		var shares []string
		for _, share := range Split(items(c.items), c.workers, c.ready...) {
			var names []string
			for _, item := range share {
				names = append(names, item.Name)
			}
			shares = append(shares, strings.Join(names, " "))
		}
		if got := strings.Join(shares, " | "); got != c.want {
			t.Errorf("%s: %q, expected %q", c.name, got, c.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a b c", uint8(2), uint16(7))
	f.Add("a a", uint8(0), uint16(0))
	f.Fuzz(func(t *testing.T, names string, workers uint8, salt uint16) {
		h := History{}
		list := Normalise(strings.Fields(names))
		for i, name := range list {
			h[name] = time.Duration(i*int(salt)%100) * time.Second
		}
		items := h.Items(list)
		shares := Split(items, int(workers))
		if len(shares) != max(int(workers), 1) || !reflect.DeepEqual(shares, Split(items, int(workers))) {
			t.Fatalf("%d shares for %d workers, or another split the second time", len(shares), workers)
		}
		seen := map[string]int{}
		for _, share := range shares {
			for _, item := range share {
				seen[item.Name]++
			}
		}
		for _, name := range list {
			if seen[name] != 1 {
				t.Fatalf("%s is in %d shares", name, seen[name])
			}
		}
	})
}

func TestWorkers(t *testing.T) {
	even := make([]Item, 100)
	for i := range even {
		even[i] = Item{fmt.Sprintf("t%02d", i), time.Second, true}
	}
	unknown := History(nil).Items([]string{"a", "b", "c"})
	long := append([]Item{{"slow", time.Minute, true}}, even[:10]...)
	for _, c := range []struct {
		name  string
		d     Demand
		count int
		why   string
	}{
		{"nothing", Demand{Free: 5}, 1, "nothing to split"},
		{"no history", Demand{Items: unknown, Free: 8}, 3, "no durations are recorded yet"},
		{"the root of work over start-up", Demand{Items: even, Startup: 4 * time.Second, Free: 50}, 5, "1m40s of tests take 24s on 5; one worker more would save 3s and cost 4s"},
		{"few are free", Demand{Items: even, Startup: time.Second, Free: 3}, 3, "no more are free"},
		{"none are free", Demand{Items: even, Startup: time.Second}, 1, ""},
		{"one file is all", Demand{Items: long, Startup: time.Second, Free: 9}, 2, "would save 0s"},
		{"target", Demand{Items: even, Startup: 5 * time.Second, Target: 30 * time.Second, Free: 9}, 4, "fewest that end within 30s: 30s expected"},
		{"target out of reach", Demand{Items: even, Startup: 5 * time.Second, Target: 10 * time.Second, Free: 9}, 9, "only 9 workers could start"},
		{"a file beyond the target", Demand{Items: long, Startup: 5 * time.Second, Target: 30 * time.Second, Free: 9}, 2, "slow alone takes 1m0s"},
	} {
		count, why := Workers(c.d)
		if count != c.count || !strings.Contains(why, c.why) {
			t.Errorf("%s: %d because %q, expected %d and %q", c.name, count, why, c.count, c.why)
		}
	}
}

// TestATestOfAKnownFileIsPartOfIt: a file that is split for the first time is divided evenly.
func TestATestOfAKnownFileIsPartOfIt(t *testing.T) {
	h := History{"slow": 6 * time.Second, "slow#B": time.Second, "a": time.Millisecond}
	items := h.Items([]string{"a", "slow#A", "slow#B", "slow#C"})
	if items[1].Took != 2*time.Second || items[1].Known || items[2].Took != time.Second || !items[2].Known {
		t.Errorf("the tests are expected to take %+v", items)
	}
}
