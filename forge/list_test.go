package forge

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// TestALongListTakesNoMoreThanItsText sends each forge lists that take three bytes an element, which anybody can.
func TestALongListTakesNoMoreThanItsText(t *testing.T) {
	const size = 1 << 20
	many := "[" + strings.Repeat("{},", size/3) + "{}]"
	for _, c := range []struct{ forge, event, body string }{
		{"github", "push", `{"commits":` + many + `}`},
		{"github", "pull_request", `{"action":"opened","pull_request":{"labels":` + many + `}}`},
		{"gitlab", "Push Hook", `{"object_kind":"push","commits":` + many + `}`},
		{"gitlab", "Merge Request Hook", `{"object_kind":"merge_request","labels":` + many + `}`},
		{"gitea", "push", `{"commits":` + many + `}`},
		{"gitea", "pull_request", `{"pull_request":{"labels":` + many + `}}`},
		{"bitbucket", "repo:push", `{"push":{"changes":` + many + `}}`},
		{"bitbucket-server", "repo:refs_changed", `{"changes":` + many + `}`},
		{"bitbucket-server", "repo:refs_changed", `{"repository":{"links":{"clone":` + many + `}}}`},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		header.Set(eventHeaders[c.forge], c.event)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := byName(t, c.forge).Parse(header, []byte(c.body))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 3*size {
			t.Errorf("%s, %.40s…: %d bytes for a body of %d (%v)", c.forge, c.body, took, size, err)
		}
	}
}
