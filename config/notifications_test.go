package config

import (
	"strings"
	"testing"
)

func TestNotificationsThatSayTooLittleOrTooMuch(t *testing.T) {
	const slack = "slack: {url: \"env:SLACK\"}"
	for name, c := range map[string]struct{ text, want string }{
		"no way":              {"notifications: [{name: team}]", "says 0 ways to be sent"},
		"two ways":            {"notifications: [{name: team, " + slack + ", webhook: {url: https://h, secret: \"env:S\"}}]", "says 2 ways"},
		"no name":             {"notifications: [{" + slack + "}]", "no name of a notification"},
		"twice":               {"notifications: [{name: team, " + slack + "}, {name: team, " + slack + "}]", "is there already"},
		"a word":              {"notifications: [{name: team, on: [failures], " + slack + "}]", "did you mean \"failure\"?"},
		"a trigger":           {"notifications: [{name: team, triggers: [pushes], " + slack + "}]", "did you mean \"push\"?"},
		"a pattern":           {"notifications: [{name: team, branches: [\"[a\"], " + slack + "}]", "is no pattern"},
		"a literal secret":    {"notifications: [{name: team, slack: {url: https://hooks.example.com/T1}}]", "file:/path or env:NAME"},
		"an unsigned webhook": {"notifications: [{name: team, webhook: {url: https://h}}]", "a webhook is signed"},
		"a password":          {"notifications: [{name: team, webhook: {url: \"https://a:b@h\", secret: \"env:S\"}}]", "is no web address"},
		"no server":           {"notifications: [{name: team, email: {to: [a@example.com]}}]", "write smtp.host"},
		"an address":          {"smtp: {host: m, from: a@b}\nnotifications: [{name: team, email: {to: [ada]}}]", "is no email address"},
		"a template":          {"notifications: [{name: team, template: \"{{.Bild}}\", " + slack + "}]", "can't evaluate field Bild"},
		"a template's form":   {"notifications: [{name: team, template: \"{{if}}\", " + slack + "}]", "missing value for if"},
		"half an account":     {"smtp: {host: m, from: a@b, username: x}", "one of username and password"},
		"no from":             {"smtp: {host: m}", "write Runner <ci@example.com>"},
		"others' builds":      {"projects: [{name: api, url: https://h/a, notifications: [{name: team, projects: [lib], " + slack + "}]}]", "for that project alone"},
	} {
		_, err := Parse("runner.yml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "runner.yml:") {
			t.Errorf("%s: %v, want a place and %q", name, err, c.want)
		}
	}
}

func TestWhoIsToldOfWhat(t *testing.T) {
	n := &Notification{For: []string{"web-*", "api"}, Refs: []string{"main", "release/*"}}
	for _, c := range []struct {
		project, kind, ref string
		want               bool
	}{
		{"api", "push", "refs/heads/main", true},
		{"web-shop", "schedule", "refs/heads/release/1", true},
		{"lib", "push", "refs/heads/main", false},
		{"api", "push", "refs/heads/release/1/fix", false},
		{"api", "push", "refs/heads/topic", false},
		{"api", "tag", "refs/tags/main", false},
		{"api", "pull_request", "refs/heads/main", false},
		{"api", "submit", "refs/heads/main", false},
	} {
		if got := n.Wants(c.project, c.kind, c.ref); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
	for on, words := range map[string]string{"": "failure recovery", "failure": "failure", "recovery": "recovery", "always": "failure recovery always"} {
		n := &Notification{}
		if on != "" {
			n.On = []string{on}
		}
		for _, word := range []string{NotifyFailure, NotifyRecovery, NotifyAlways} {
			if got := n.WantsOn(word); got != strings.Contains(words, word) {
				t.Errorf("on %q, %s: %t", on, word, got)
			}
		}
	}
}
