package server

import (
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

func showNotifications(list []config.Notification) (out []client.Notification) {
	for _, n := range list {
		out = append(out, client.Notification{
			Name: n.Name, On: n.On, Branches: n.Refs, Triggers: n.Triggers, WebhookURL: n.Webhook.URL, WebhookSecret: string(n.Webhook.Secret),
			SlackURL: string(n.Slack.URL), Email: n.Email.To, Template: n.Template, Subject: n.Subject,
		})
	}
	return out
}

// readNotifications is showNotifications the other way.
func readNotifications(list []client.Notification) (out []config.Notification) {
	for _, n := range list {
		out = append(out, config.Notification{
			Name: n.Name, On: n.On, Refs: n.Branches, Triggers: n.Triggers,
			Webhook: config.NotifyWebhook{URL: n.WebhookURL, Secret: config.Secret(n.WebhookSecret)},
			Slack:   config.NotifySlack{URL: config.Secret(n.SlackURL)}, Email: config.NotifyEmail{To: n.Email}, Template: n.Template, Subject: n.Subject,
		})
	}
	return out
}
