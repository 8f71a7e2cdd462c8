package testqueue

import (
	"fmt"
	"time"
)

// Demand is what the number of workers is chosen from.
type Demand struct {
	Items   []Item        // of History.Items
	Startup time.Duration // what a worker costs before its first test: sandbox, install phase
	Target  time.Duration // how long the tests may take, start-up included; 0 for no wish
	Free    int           // how many workers could start now
}

// Workers chooses how many workers are worth it, and says why in a sentence. It is never less than one nor more than
// d.Free or the number of items.
//
// With a target it is the fewest that reach it. Without one, a worker is added as long as it ends the tests earlier by
// more than its own start-up costs: for even work that is the square root of work over start-up.
func Workers(d Demand) (count int, why string) {
	most := max(1, min(d.Free, len(d.Items)))
	if len(d.Items) == 0 {
		return 1, "there is nothing to split"
	}
	if !anyKnown(d.Items) {
		return most, fmt.Sprintf("no durations are recorded yet, so as many as are free: %d", most)
	}
	if d.Target > 0 {
		return forTarget(d, most)
	}
	count, took := 1, total(d.Items)
	for count < most {
		next := Ends(Split(d.Items, count+1))
		if took-next <= d.Startup {
			return count, fmt.Sprintf("%s of tests take %s on %d; one worker more would save %s and cost %s to start",
				brief(total(d.Items)), brief(d.Startup+took), count, brief(took-next), brief(d.Startup))
		}
		count, took = count+1, next
	}
	return count, fmt.Sprintf("%s of tests take %s on %d, and no more are free or useful", brief(total(d.Items)), brief(d.Startup+took), count)
}

// forTarget finds the fewest workers that reach the target; when none do, the fewest that come within 2 % of the best.
func forTarget(d Demand, most int) (count int, why string) {
	ends := make([]time.Duration, most+1)
	for n := 1; n <= most; n++ {
		if ends[n] = d.Startup + Ends(Split(d.Items, n)); ends[n] <= d.Target {
			return n, fmt.Sprintf("%d are the fewest that end within %s: %s expected", n, brief(d.Target), brief(ends[n]))
		}
	}
	best := ends[most]
	for n := 1; n <= most; n++ {
		best = min(best, ends[n])
	}
	for count = 1; ends[count] > best+best/50; count++ {
	}
	return count, fmt.Sprintf("the target of %s is out of reach: %s %s; %d come within 2%% of the best, %s",
		brief(d.Target), obstacle(d), plural(most, "worker could", "workers could")+" start", count, brief(ends[count]))
}

// obstacle names what no number of workers can help, if there is such a thing.
func obstacle(d Demand) string {
	longest := d.Items[0]
	for _, item := range d.Items {
		if longestFirst(item, longest) < 0 {
			longest = item
		}
	}
	if d.Startup+longest.Took > d.Target {
		return fmt.Sprintf("%s alone takes %s after a start-up of %s, and", longest.Name, brief(longest.Took), brief(d.Startup))
	}
	return "only"
}

func anyKnown(items []Item) bool {
	for _, item := range items {
		if item.Known {
			return true
		}
	}
	return false
}

// brief rounds a duration to what a person reads.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
