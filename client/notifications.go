package client

// Notification tells people or a program how a project's builds ended. One of WebhookURL, SlackURL and Email is set.
type Notification struct {
	Name          string   `json:"name"`
	On            []string `json:"on,omitempty"`       // failure, recovery, always; default the first two
	Branches      []string `json:"branches,omitempty"` // patterns; default every ref
	Triggers      []string `json:"triggers,omitempty"` // kinds; default all but pull_request, comment and submit
	WebhookURL    string   `json:"webhookUrl,omitempty"`
	WebhookSecret string   `json:"webhookSecret,omitempty"` // a reference: file:/path or env:NAME
	SlackURL      string   `json:"slackUrl,omitempty"`      // a reference, since it is a secret
	Email         []string `json:"email,omitempty"`
	Template      string   `json:"template,omitempty"`
	Subject       string   `json:"subject,omitempty"`
}
