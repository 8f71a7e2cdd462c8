package config

import (
	"strings"
	"testing"
	"time"
)

func TestForgeSettingsThatCannotBeMeant(t *testing.T) {
	for _, c := range []struct{ setting, want string }{
		{"forge: gitlabb", `did you mean "gitlab"?`},
		{"forge: svn", "bitbucket-server"},
		{"forge-url: https://git.example.com", "set forge too"},
		{"forge: gitlab\n    forge-url: git.example.com", "no address of an API"},
		{"forge: gitlab\n    forge-url: https://me:hidden@git.example.com", "without user"},
		{"webhook: yes please", "write auto"},
		{"poll: often", "neither off nor a duration"},
		{"poll: 5s", "not between 10s and"},
		{"poll: 2d", "not between 10s and"},
		{"forge-token: ghp_literal", "its value may not stand here"},
	} {
		_, err := Parse("runner.yml", []byte("projects:\n  - name: api\n    url: https://example.com/a/api.git\n    "+c.setting+"\n"))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "runner.yml:") || strings.Contains(err.Error(), "ghp_literal") {
			t.Errorf("%s: %v, want a place and %q", c.setting, err, c.want)
		}
	}
}

func TestWhoIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		project Project
		want    time.Duration
	}{
		{Project{}, 0},
		{Project{WebhookSecret: "env:HOOK"}, DefaultPoll},
		{Project{Webhook: WebhookAuto}, DefaultPoll},
		{Project{Webhook: WebhookAuto, Poll: PollOff}, 0},
		{Project{Poll: "90s"}, 90 * time.Second},
	} {
		if got := c.project.PollEvery(); got != c.want {
			t.Errorf("%+v is looked at every %s, want %s", c.project, got, c.want)
		}
	}
	if s := (&Project{Webhook: WebhookAuto, WebhookSecret: "env:HOOK"}).HookSecret(); s != "env:HOOK" {
		t.Errorf("a secret that is named goes before the daemon's own: %s", s)
	}
}
