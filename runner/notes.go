package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// maxNotes and maxNote bound what is said of what a job left, most of which names what the job named.
const (
	maxNotes = 64
	maxNote  = 4 << 10
)

// say keeps a line of ours for the end of the log.
func (s *session) say(format string, args ...any) {
	if len(s.notes) < maxNotes {
		s.notes = append(s.notes, brief(fmt.Sprintf(format, args...), maxNote))
	}
}

// brief cuts a text that may hold what a job said.
func brief(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + " …"
}

// end writes what was kept to the end of the log, and seals it, at once, so that a daemon that died afterwards is followed
// by one that need not write it again. What the job's result says of our doing is the last of it.
func (s *session) end(ctx context.Context, res Result) error {
	if s.ours || res.Status == wire.StatusFault || res.Reason == "spool_damaged" || res.Reason == "service" || s.overDisk() {
		s.notes = append(s.notes, fmt.Sprintf("%s: %s", res.Status, strings.TrimRight(res.Message, "\n")))
	}
	return s.rec.end(ctx, s.notes)
}
