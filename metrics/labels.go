package metrics

import (
	"strings"
	"sync"
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
var reasons = words(`agent_error agent_restarted approval artifacts buildspec_invalid buildspec_missing command_failed db
	dependency_failed disk_full engine_unavailable environment_type fast_fail gone image no_image oom pids privileged
	queue_timeout run_as runtime_versions sandbox_lost secrets service settings shell shell_missing source spool_damaged
	spool_unreadable stopped superseded timeout unknown_engine
	source_attributes source_auth source_bad_url source_corrupt source_file_refused source_host_key source_internal source_lfs
	source_memory source_not_found source_not_git source_submodule source_timeout source_tls source_too_large
	source_unknown_commit source_unknown_ref source_unreachable source_unsafe`)

func words(text string) map[string]bool {
	out := map[string]bool{"": true}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// known is a reason as a label.
func known(reason string) string {
	if reasons[reason] {
		return reason
	}
	return other
}
