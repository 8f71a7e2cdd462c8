package config

import (
	"net/url"
	"time"
)

// Forges are the words of a project's setting forge.
var Forges = []string{"github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "bitbucket-server"}

const (
	// WebhookAuto has the daemon register a project's webhook.
	WebhookAuto = "auto"
	// PollOff never looks at remote refs.
	PollOff = "off"
	// DefaultPoll finds a push whose webhook was lost while its author still waits for it.
	DefaultPoll = 5 * time.Minute
	// MinPoll keeps a mistyped interval from becoming an attack.
	MinPoll = 10 * time.Second
)

// maxPoll is a day: whoever wants less wants none.
const maxPoll = 24 * time.Hour

// SealedWebhook is the reference to the webhook secret that the daemon made for a project. It stands in no configuration:
// the daemon resolves it, with its secret store.
const SealedWebhook = Secret("sealed:webhook")

// HookSecret is what the project's webhooks are signed with: the secret that its settings name, or the daemon's own.
func (p *Project) HookSecret() Secret {
	if p.WebhookSecret == "" && p.Webhook == WebhookAuto {
		return SealedWebhook
	}
	return p.WebhookSecret
}

// PollEvery is how often the project's remote refs are looked at; 0 is never. Who says nothing is looked at when there are
// webhooks that can be lost.
func (p *Project) PollEvery() time.Duration {
	switch {
	case p.Poll == PollOff || p.Poll == "" && p.HookSecret() == "":
		return 0
	case p.Poll == "":
		return DefaultPoll
	}
	every, _ := ParseDuration(p.Poll)
	return every
}

// APIToken is what the forge's API is asked with.
func (p *Project) APIToken() Secret {
	if p.ForgeToken != "" {
		return p.ForgeToken
	}
	return p.Token
}

func (p *Project) checkForge(f *faults) {
	if p.Forge != "" {
		f.oneOf("forge", p.Forge, Forges...)
	}
	if u, err := url.Parse(p.ForgeURL); p.ForgeURL != "" &&
		(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		f.add("forge-url", "write https://git.example.com, without user, query and fragment", "this is no address of an API")
	}
	if p.ForgeURL != "" && p.Forge == "" {
		f.add("forge-url", "set forge too: forge: gitlab", "which forge's API this is cannot be told")
	}
	if p.Webhook != "" && p.Webhook != WebhookAuto {
		f.add("webhook", "write auto, or leave it out", "%q is not known", clip(p.Webhook))
	}
	if p.Poll == "" || p.Poll == PollOff {
		return
	}
	if every, err := ParseDuration(p.Poll); err != nil {
		f.add("poll", "write off, 5m or 30s", "%q is neither off nor a duration", clip(p.Poll))
	} else if every < MinPoll || every > maxPoll {
		f.add("poll", "write 10s to 24h, or off", "%q is not between %s and %s", clip(p.Poll), MinPoll, maxPoll)
	}
}
