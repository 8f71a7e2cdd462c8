package tests

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Summary is the report in one line, for a commit status:
//
//	1,204 passed, 2 failed, 1 flaky, 6 shards, 2m11s (3.8× faster than one)
//
// Failed counts failures and errors. What is zero is left out, except passed; shards and speed are left out for one
// shard. The speed is Serial over Duration, an estimate: what each shard did besides its tests one would do once.
func (r *Report) Summary() string {
	t := r.Totals
	words := []string{grouped(t.Succeeded) + " passed"}
	for _, n := range []struct {
		count int
		word  string
	}{{t.Failed + t.Error, "failed"}, {t.Flaky, "flaky"}, {t.Skipped, "skipped"}, {t.Unknown, "unknown"}} {
		if n.count > 0 {
			words = append(words, grouped(n.count)+" "+n.word)
		}
	}
	if r.Shards > 1 {
		words = append(words, grouped(r.Shards)+" shards")
	}
	words = append(words, brief(r.Duration))
	line := strings.Join(words, ", ")
	if speed := r.Speed(); r.Shards > 1 && speed >= 1.05 {
		line += fmt.Sprintf(" (%.1f× faster than one)", speed)
	}
	return line
}

// Speed is how many times faster the shards were than one would have been, 0 if nothing took any time.
func (r *Report) Speed() float64 {
	if r.Duration <= 0 {
		return 0
	}
	return float64(r.Serial) / float64(r.Duration)
}

// grouped writes a count with commas between thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// brief rounds to what a reader wants to know: milliseconds below a second, tenths below ten, else seconds.
func brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}
