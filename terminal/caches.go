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
			seconds(c.Earned.RestoreSeconds), seconds(c.Earned.SaveSeconds), saved(c.Earned, c.Earned.SavedSeconds), saved(c.Earned, c.Earned.SecondsPerGiB))
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
func saved(e client.Earnings, s float64) string {
	switch {
	case e.Off:
		return "off"
	case e.Hits == 0 || e.Misses == 0:
		return "?"
	}
	return strconv.FormatFloat(s, 'f', 0, 64) + "s"
}
