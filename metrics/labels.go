package metrics

import (
	"sync"

	"github.com/runner-ci/runner/client"
)

// MaxProjects is how many projects are counted by their names.
const MaxProjects = 100

// other stands for what is not counted by name.
const other = "other"

// bounded lets the first few values through.
type bounded struct {
	most int
	mu   sync.Mutex
	seen map[string]bool
}

func (b *bounded) label(value string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.seen[value] {
		if len(b.seen) >= b.most {
			return other
		}
		if b.seen == nil {
			b.seen = make(map[string]bool)
		}
		b.seen[value] = true
	}
	return value
}

// reasons are those that this daemon gives. A job can forge its own, which must not make labels.
var reasons = func() map[string]bool {
	out := map[string]bool{"": true}
	for _, r := range client.Reasons {
		out[r.Word] = true
	}
	return out
}()

// known is a reason as a label.
func known(reason string) string {
	if reasons[reason] {
		return reason
	}
	return other
}
