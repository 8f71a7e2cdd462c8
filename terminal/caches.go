package terminal

import (
	"fmt"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

// Caches lists caches, one a line.
func Caches(o *Output, caches []client.Cache, now time.Time) {
	t := Table{Head: []string{"cache", "scope", "key", "size", "made", "used", "hits", "restore", "save", "saved", "per GiB"},
		Right: map[int]bool{3: true, 6: true, 7: true, 8: true, 9: true, 10: true}}
	for _, c := range caches {
		t.Row(c.ID, oneLine(c.Scope), title(c.Key), Size(c.Bytes), Ago(c.Created, now), Ago(c.Used, now), strconv.FormatInt(c.Hits, 10),
			seconds(c.Earned.RestoreSeconds), seconds(c.Earned.SaveSeconds), saved(c, c.Earned.SavedSeconds), perGiB(c))
	}
	t.Print(o)
}

// seconds of nothing that was measured are none.
func seconds(s float64) string {
	if s == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3gs", s)
}

// saved tells what is not known yet apart from nothing, and that a cache is off.
func saved(c client.Cache, s float64) string {
	switch {
	case c.Earned.Off:
		return "off"
	case c.Earned.Hits == 0 || c.Earned.Misses == 0:
		return "?"
	}
	return strconv.FormatFloat(s, 'f', 1, 64) + "s"
}

// perGiB says nothing of a cache that is next to nothing.
func perGiB(c client.Cache) string {
	if c.Bytes < 1<<20 {
		return "-"
	}
	return saved(c, c.Earned.SecondsPerGiB)
}
