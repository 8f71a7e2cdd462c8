package notify

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/runner-ci/runner/notify/message"
)

// slackMessage is what incoming webhooks of Slack, Mattermost and Rocket.Chat all take.
type slackMessage struct {
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color    string `json:"color"`
	Fallback string `json:"fallback"`
	Text     string `json:"text"`
}

// slackEscape takes from a text what would be markup: an @channel of a stranger's commit must wake nobody.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// colors of the events.
var colors = map[string]string{"failure": "#c62828", "recovery": "#2e7d32", "success": "#2e7d32", "stopped": "#757575"}

// Slack sends a message to an incoming webhook.
func (s *Sender) Slack(ctx context.Context, address, template string, m message.Message) error {
	body, err := slackBody(template, m)
	if err != nil {
		return err
	}
	return s.post(ctx, address, "notification "+m.Name+" to "+hostOf(address), body, nil)
}

func slackBody(template string, m message.Message) ([]byte, error) {
	link := "<" + slackEscape.Replace(m.URL) + "|" + slackEscape.Replace(m.Build) + ">"
	head := link + " " + m.Verdict()
	if where := m.Where(); where != "" {
		head += " on " + slackPlain(where)
	}
	text, err := m.Render(template)
	if err != nil {
		return nil, err
	}
	return json.Marshal(slackMessage{Text: head, Attachments: []slackAttachment{{
		Color: colors[m.Event], Fallback: slackPlain(m.Build + " " + m.Verdict() + ": " + m.Summary), Text: slackPlain(text),
	}}})
}

// slackPlain is a text that shows as it is. Mattermost takes @all and @channel from plain text, so they are broken up by a
// space of no width.
func slackPlain(s string) string {
	return slackEscape.Replace(strings.ReplaceAll(s, "@", "@\u200b"))
}
