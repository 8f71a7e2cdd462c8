package web

import (
	"fmt"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

// Charts are SVG stretched over their place: x and width are thousandths of it, y and height hundredths.
const (
	chartWidth  = 1000
	chartHeight = 100
)

// rect is one part of a column.
type rect struct {
	Y, Height int
	Class     string
}

// column is what a chart shows of one day or build.
type column struct {
	X, Width int
	Title    string
	Rects    []rect
}

// chart is columns beside each other, the oldest first, with the same in words and as a table.
type chart struct {
	Title, Label string
	Top          string // what the full height stands for
	First, Last  string // below the axis
	Columns      []column
	Heads        []string
	Rows         [][]string
}

// leastColumns is for how many there is room at least: a few stand at the right, no wider than many.
const leastColumns = 30

// columns lays n columns over the width, with a gap between them.
func columns(n int) []column {
	out, room := make([]column, n), max(n, leastColumns)
	for i := range out {
		at := room - n + i
		from, to := at*chartWidth/room, (at+1)*chartWidth/room
		out[i].X, out[i].Width = from, max(2, to-from-max(1, (to-from)/5))
	}
	return out
}

// part is how high a part of a whole is drawn: what is not nothing can be seen.
func part(of, whole float64) int {
	if of <= 0 || whole <= 0 {
		return 0
	}
	return max(2, int(chartHeight*of/whole))
}

// stack adds a rect on top of those there are.
func (c *column) stack(height int, class string) {
	below := chartHeight
	if n := len(c.Rects); n > 0 {
		below = c.Rects[n-1].Y
	}
	if height > 0 {
		c.Rects = append(c.Rects, rect{max(0, below-height), min(height, below), class})
	}
}

// dayName is a day as people say it.
func dayName(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return at.Format("2 Jan")
}

// daysOf begins a chart with a column for each day.
func daysOf(title string, days []client.Day) chart {
	c := chart{Title: title, Columns: columns(len(days))}
	if len(days) > 0 {
		c.First, c.Last = dayName(days[0].Day), "today"
	}
	return c
}

// outcomeChart shows what became of each day's builds.
func outcomeChart(st client.Stats) chart {
	c := daysOf("Builds by day", st.Days)
	most := 0
	for _, d := range st.Days {
		most = max(most, d.Ended()+d.Stopped+d.Running)
	}
	c.Top = plural(most, "build")
	c.Label = fmt.Sprintf("Builds of %s: %d passed, %d failed.", plural(len(st.Days), "day"), st.All.Succeeded, st.All.Failed+st.All.Faults)
	c.Heads = []string{"day", "passed", "failed", "stopped", "running"}
	for i, d := range st.Days {
		col, bad := &c.Columns[i], d.Failed+d.Faults
		col.Title = fmt.Sprintf("%s: %d passed, %d failed", dayName(d.Day), d.Succeeded, bad)
		col.stack(part(float64(d.Succeeded), float64(most)), "ok")
		col.stack(part(float64(bad), float64(most)), "no")
		col.stack(part(float64(d.Stopped), float64(most)), "st")
		col.stack(part(float64(d.Running), float64(most)), "run")
		if d.Ended()+d.Stopped+d.Running > 0 {
			c.Rows = append(c.Rows, []string{d.Day, strconv.Itoa(d.Succeeded), strconv.Itoa(bad), strconv.Itoa(d.Stopped), strconv.Itoa(d.Running)})
		}
	}
	return c
}

// durationChart shows how long the builds of each day took that passed.
func durationChart(st client.Stats) chart {
	c := daysOf("How long they take", st.Days)
	longest := 0.0
	for _, d := range st.Days {
		longest = max(longest, d.SlowSeconds)
	}
	c.Top = took(longest)
	c.Label = fmt.Sprintf("Of those that passed, half took less than %s, nine of ten less than %s.", took(st.All.MedianSeconds), took(st.All.SlowSeconds))
	c.Heads = []string{"day", "half took less than", "nine of ten less than"}
	for i, d := range st.Days {
		if d.Succeeded == 0 {
			c.Columns[i].Title = dayName(d.Day) + ": none passed"
			continue
		}
		c.Columns[i].Title = fmt.Sprintf("%s: half took less than %s, nine of ten less than %s", dayName(d.Day), took(d.MedianSeconds), took(d.SlowSeconds))
		median := part(d.MedianSeconds, longest)
		c.Columns[i].stack(median, "ink")
		c.Columns[i].stack(part(d.SlowSeconds, longest)-median, "pale")
		c.Rows = append(c.Rows, []string{d.Day, took(d.MedianSeconds), took(d.SlowSeconds)})
	}
	return c
}

// historyChart shows how long one test took, build by build. The results come newest first.
func historyChart(results []client.TestResult) chart {
	n := len(results)
	c := chart{Title: "How long it took", Columns: columns(n)}
	longest, bad, total := 0.0, 0, 0.0
	for _, r := range results {
		longest, total = max(longest, r.Seconds), total+r.Seconds
		if class(r.Status) == "no" {
			bad++
		}
	}
	c.Top, c.Last = took(longest), results[0].Build
	if n > leastColumns {
		c.First = results[n-1].Build
	}
	c.Label = fmt.Sprintf("%s: %s; at most %s, on average %s.", plural(n, "result"), plural(bad, "failure"), took(longest), took(total/float64(n)))
	for i, r := range results {
		col := &c.Columns[n-1-i]
		col.Title = r.Build + ": " + word(r.Status) + ", " + took(r.Seconds)
		col.stack(max(4, part(r.Seconds, longest)), resultClass(r.Status, r.Flaky))
	}
	return c
}

// resultClass is the shape and colour of a test's result.
func resultClass(status string, flaky bool) string {
	if flaky {
		return "flk"
	}
	return class(status)
}

// markStrip shows the newest results of a test, which come newest first, from the oldest on.
func markStrip(marks []client.TestMark) bars {
	marks = marks[:min(len(marks), stripBars)]
	out := bars{Width: max(1, len(marks))*(barWidth+barGap) - barGap, Height: stripHeight, Bar: barWidth}
	longest, bad := 0.0, 0
	for _, m := range marks {
		longest = max(longest, m.Seconds)
		if class(m.Status) == "no" {
			bad++
		}
	}
	out.Label = plural(len(marks), "result") + ": " + plural(bad, "failure")
	for i := len(marks) - 1; i >= 0; i-- {
		m, h := marks[i], stripHeight
		if longest > 0 {
			h = max(leastHeight, int(float64(stripHeight)*m.Seconds/longest))
		}
		title := fmt.Sprintf("#%d %s, %s", m.Number, word(m.Status), took(m.Seconds))
		out.Bars = append(out.Bars, bar{out.Width - barWidth - i*(barWidth+barGap), stripHeight - h, h, resultClass(m.Status, m.Flaky), title})
	}
	return out
}
