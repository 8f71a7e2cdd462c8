package terminal

import (
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

// Caches lists caches, one a line.
func Caches(o *Output, caches []client.Cache, now time.Time) {
	t := Table{Head: []string{"cache", "scope", "key", "size", "made", "used", "hits"}, Right: map[int]bool{3: true, 6: true}}
	for _, c := range caches {
		t.Row(c.ID, oneLine(c.Scope), title(c.Key), Size(c.Bytes), Ago(c.Created, now), Ago(c.Used, now), strconv.FormatInt(c.Hits, 10))
	}
	t.Print(o)
}
