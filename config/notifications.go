package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/runner-ci/runner/notify/message"
)

// Notification tells people or a program how builds ended. Just one of Webhook, Slack and Email is set.
type Notification struct {
	Name string   `yaml:"name" json:"name"`                   // unique in its list
	On   []string `yaml:"on" json:"on,omitempty"`             // NotifyFailure, NotifyRecovery, NotifyAlways; default the first two
	For  []string `yaml:"projects" json:"projects,omitempty"` // patterns of names, in the daemon's list alone; default all
	Refs []string `yaml:"branches" json:"branches,omitempty"` // patterns of branches; default all refs
	// Triggers are the kinds of triggers whose builds are told of; default NotifyTriggers.
	Triggers []string      `yaml:"triggers" json:"triggers,omitempty"`
	Webhook  NotifyWebhook `yaml:"webhook" json:"webhook,omitzero"`
	Slack    NotifySlack   `yaml:"slack" json:"slack,omitzero"`
	Email    NotifyEmail   `yaml:"email" json:"email,omitzero"`
	Template string        `yaml:"template" json:"template,omitempty"` // of the text, in Go's text/template; see package notify
	Subject  string        `yaml:"subject" json:"subject,omitempty"`   // the same of an email's subject
}

// NotifyWebhook is a program that is sent a signed JSON document.
type NotifyWebhook struct {
	URL    string `yaml:"url" json:"url,omitempty"`
	Secret Secret `yaml:"secret" json:"secret,omitempty"`
}

// NotifySlack is an incoming webhook of Slack, Mattermost or anything that understands these. Its address is a secret.
type NotifySlack struct {
	URL Secret `yaml:"url" json:"url,omitempty"`
}

// NotifyEmail is who gets an email.
type NotifyEmail struct {
	To []string `yaml:"to" json:"to,omitempty"`
}

// SMTP is the server that emails are handed to.
type SMTP struct {
	Host     string `yaml:"host"` // empty: no emails are sent
	Port     int    `yaml:"port"` // default 587, with TLS "tls" 465, with "off" 25
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	From     string `yaml:"from"`
	TLS      string `yaml:"tls"` // "starttls" (default), "tls" or "off"
}

// What a notification is sent on.
const (
	NotifyFailure  = "failure"  // FAILED, FAULT, TIMED_OUT
	NotifyRecovery = "recovery" // SUCCEEDED after one of these on the same ref
	NotifyAlways   = "always"   // every end, stopped builds too
)

// NotifyTriggers are the triggers whose builds are told of where nothing else is said: those of what the team shares. Who
// submits a working tree or opens a pull request is looking at it anyway.
var NotifyTriggers = []string{"push", "tag", "release", "schedule", "manual", "registry", "retry"}

// notifyTriggers are all of them.
var notifyTriggers = append(slices.Clone(NotifyTriggers), "pull_request", "comment", "submit")

// Wants tells whether a notification is for builds of a project that a trigger of this kind made on a ref.
func (n *Notification) Wants(project, kind, ref string) bool {
	triggers := n.Triggers
	if len(triggers) == 0 {
		triggers = NotifyTriggers
	}
	return (len(n.For) == 0 || matchesAny(n.For, project)) && slices.Contains(triggers, kind) &&
		(len(n.Refs) == 0 || matchesAny(n.Refs, strings.TrimPrefix(ref, "refs/heads/")))
}

// WantsOn tells whether a notification is sent on a word.
func (n *Notification) WantsOn(word string) bool {
	if len(n.On) == 0 {
		return word != NotifyAlways
	}
	return slices.Contains(n.On, word) || slices.Contains(n.On, NotifyAlways)
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, text); return ok })
}

// notificationFaults checks a list of them. projects tells whether they may name projects.
func notificationFaults(list []Notification, projects bool) (f faults) {
	seen := map[string]bool{}
	for i := range list {
		n, at := &list[i], fmt.Sprintf("notifications[%d]", i)
		switch {
		case !projectName.MatchString(n.Name):
			f.add(at+".name", "2 to 150 letters, digits, - and _: team, on-call", "%q is no name of a notification", clip(n.Name))
		case seen[n.Name]:
			f.add(at+".name", "give each a name of its own", "notification %q is there already", n.Name)
		}
		seen[n.Name] = true
		f = append(f, n.faults(projects).prefixed(at)...)
	}
	return f
}

func (n *Notification) faults(projects bool) (f faults) {
	for _, word := range n.On {
		f.oneOf("on", word, NotifyFailure, NotifyRecovery, NotifyAlways)
	}
	for _, word := range n.Triggers {
		f.oneOf("triggers", word, notifyTriggers...)
	}
	if !projects && len(n.For) > 0 {
		f.add("projects", "leave it out, or write the notification in the daemon's own list", "a project's notification is for that project alone")
	}
	for field, patterns := range map[string][]string{"projects": n.For, "branches": n.Refs} {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				f.add(field, "write main, release/* or web-*", "%q is no pattern", clip(p))
			}
		}
	}
	ways := 0
	for _, set := range []bool{n.Webhook != (NotifyWebhook{}), n.Slack != (NotifySlack{}), len(n.Email.To) > 0} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		f.add("name", "write just one of webhook, slack and email under it", "notification %q says %d ways to be sent", clip(n.Name), ways)
	}
	f.err("template", "docs/notifications.md lists the fields", message.Check(n.Template))
	f.err("subject", "docs/notifications.md lists the fields", message.Check(n.Subject))
	return append(f, n.wayFaults()...)
}

func (n *Notification) wayFaults() (f faults) {
	if n.Webhook != (NotifyWebhook{}) {
		u, err := url.Parse(n.Webhook.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			f.add("webhook.url", "write https://example.com/hooks/builds, without a password", "%q is no web address", clip(n.Webhook.URL))
		}
		if n.Webhook.Secret == "" {
			f.add("webhook.secret", secretHint, "a webhook is signed, and the secret for that is missing")
		}
	}
	f.err("webhook.secret", secretHint, n.Webhook.Secret.Check())
	f.err("slack.url", secretHint, n.Slack.URL.Check())
	for _, to := range n.Email.To {
		if _, err := mail.ParseAddress(to); err != nil {
			f.add("email.to", "write ada@example.com", "%q is no email address", clip(to))
		}
	}
	if n.Subject != "" && len(n.Email.To) == 0 {
		f.add("subject", "leave it out", "only an email has a subject")
	}
	if n.Template != "" && n.Webhook != (NotifyWebhook{}) {
		f.add("template", "leave it out: what a webhook is sent has a fixed form", "a webhook's document has no template")
	}
	return f
}

// checkNotifications checks the daemon's own list and the mail server.
func (c *Config) checkNotifications(f *faults) {
	*f = append(*f, notificationFaults(c.Notifications, true)...)
	if c.SMTP.TLS != "" {
		f.oneOf("smtp.tls", c.SMTP.TLS, "starttls", "tls", "off")
	}
	if p := c.SMTP.Port; p < 0 || p > 65535 {
		f.add("smtp.port", "587 and 465 are usual", "%d is no port", p)
	}
	f.err("smtp.password", secretHint, c.SMTP.Password.Check())
	if (c.SMTP.Username == "") != (c.SMTP.Password == "") {
		f.add("smtp", "give username and password, or neither", "one of username and password is missing")
	}
	if c.SMTP.Host == "" {
		if c.SMTP != (SMTP{}) {
			f.add("smtp.host", "write mail.example.com", "the server's name is missing")
		}
		for i := range c.Notifications {
			if len(c.Notifications[i].Email.To) > 0 {
				f.add(fmt.Sprintf("notifications[%d].email", i), "write smtp.host and smtp.from", "emails are handed to a server, and none is named")
			}
		}
		return
	}
	if strings.ContainsAny(c.SMTP.Host, " /:@") {
		f.add("smtp.host", "write mail.example.com, and the port as smtp.port", "%q is no name of a host", clip(c.SMTP.Host))
	}
	if _, err := mail.ParseAddress(c.SMTP.From); err != nil {
		f.add("smtp.from", "write Runner <ci@example.com>", "%q is no email address", clip(c.SMTP.From))
	}
}

// absoluteNotifications makes the secrets of a list relative to a configuration file's directory.
func absoluteNotifications(list []Notification, dir string) {
	for i := range list {
		list[i].Webhook.Secret = list[i].Webhook.Secret.absolute(dir)
		list[i].Slack.URL = list[i].Slack.URL.absolute(dir)
	}
}
