package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// Webhook writes what was done about a project's webhook, and what is left to do.
func Webhook(o *Output, w client.Webhook) {
	for _, step := range w.Steps {
		o.Lines("webhook   " + oneLine(step))
	}
	WebhookTrouble(o, w)
	if w.Secret == "" && (w.State != "by-hand" || w.Target == "") {
		return
	}
	o.Lines("", "to enter at the forge by hand:")
	t := Table{}
	t.Row("  URL", oneLine(w.Target))
	t.Row("  content type", w.ContentType)
	t.Row("  events", oneLine(strings.Join(w.Events, ", ")))
	switch {
	case w.Secret != "":
		t.Row("  secret", w.Secret+"   (shown this once)")
	case w.Arrived != nil:
		t.Row("  secret", "as it is: a delivery was signed with it")
	default:
		t.Row("  secret", "the project's webhook-secret")
	}
	t.Print(o)
}

// WebhookTrouble writes what keeps a webhook from working, and what to do.
func WebhookTrouble(o *Output, w client.Webhook) {
	if w.Problem != "" {
		o.Lines("problem   " + oneLine(w.Problem))
	}
	if w.Hint != "" {
		o.Lines("hint      " + oneLine(w.Hint))
	}
}

// WebhookState writes how a project's webhook is, below its settings.
func WebhookState(o *Output, w client.Webhook, now time.Time) {
	if w.State == "none" && w.Arrived == nil {
		return
	}
	o.Lines("")
	if w.State != "none" {
		line := "webhook   " + w.State
		if w.Target != "" {
			line += " at " + oneLine(w.Forge) + ": " + oneLine(w.Target)
		}
		o.Lines(line)
	}
	WebhookTrouble(o, w)
	if d := w.Arrived; d != nil {
		o.Lines(fmt.Sprintf("newest    %s, %s: %d %s", oneLine(d.Event), Ago(d.At, now), d.Status, d.Outcome))
	}
}
