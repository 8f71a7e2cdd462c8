package terminal

import (
	"cmp"
	"fmt"
	"time"

	"github.com/runner-ci/runner/client"
)

// outboxLines shows what the outside has yet to be told. Where nothing waits and nothing was lost, there is nothing to say.
func outboxLines(o *Output, b client.Outbox, now time.Time) {
	if b.Waiting > 0 {
		o.Lines("outbox    " + Count(b.Waiting, "message waits", "messages wait") + " to be sent")
	}
	for _, x := range b.Items {
		line := fmt.Sprintf("  %s of %s to %s, for %s", x.Kind, cmp.Or(x.Build, x.Project), x.To, roughly(now.Sub(x.Since)))
		if x.Tries > 0 {
			line += fmt.Sprintf(", after %s, again in %s: %s", Count(x.Tries, "failure", "failures"), roughly(x.Next.Sub(now)), x.Error)
		}
		o.Lines(line)
	}
	for _, x := range b.Dropped {
		o.Lines(fmt.Sprintf("dropped   %s of %s to %s, %s ago: %s", x.Kind, cmp.Or(x.Build, x.Project), x.To, roughly(now.Sub(x.Dropped)), x.Error))
	}
}
