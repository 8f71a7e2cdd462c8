package web

import (
	"slices"

	"github.com/runner-ci/runner/client"
)

// bar is one build or result in a strip: its height tells how long it took, among its neighbours.
type bar struct {
	X, Y, Height int
	Class, Title string
}

// strips are as wide as stripBars builds; units are CSS pixels.
const (
	stripBars   = 30
	barWidth    = 5
	barGap      = 2
	stripHeight = 22
	leastHeight = 6
)

// bars is a strip, drawn as SVG because the policy of the pages allows no inline style.
type bars struct {
	Bars          []bar
	Width, Height int
	Bar           int // width of one
	Label         string
}

// strip shows builds, which come newest first, from the oldest on.
func strip(builds []client.Build) bars {
	builds = slices.Clone(builds[:min(len(builds), stripBars)])
	slices.Reverse(builds)
	longest, failed := 0.0, 0
	for _, b := range builds {
		longest = max(longest, b.Seconds)
		if class(b.Status) == "no" {
			failed++
		}
	}
	out := bars{Width: stripBars*(barWidth+barGap) - barGap, Height: stripHeight, Bar: barWidth}
	out.Label = "the last " + plural(len(builds), "build") + ": " + plural(failed, "failure")
	left := out.Width - len(builds)*(barWidth+barGap) + barGap
	for i, b := range builds {
		h := stripHeight
		if longest > 0 {
			h = max(leastHeight, int(float64(stripHeight)*b.Seconds/longest))
		}
		out.Bars = append(out.Bars, bar{left + i*(barWidth+barGap), stripHeight - h, h, class(b.Status), b.ID + " " + word(b.Status) + ", " + took(b.Seconds)})
	}
	return out
}
