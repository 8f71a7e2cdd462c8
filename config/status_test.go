package config

import (
	"strings"
	"testing"
)

func TestWhatForgesAreToldIsChecked(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"status: {per: job, context: \"ci/{project}/{event}\"}\n    comment: on-failure", ""},
		{"status: {per: jobs}", `did you mean "job"?`},
		{"status: {context: \"ci/{branch}\"}", `"{branch}" stands for nothing`},
		{"status: {context: \"" + strings.Repeat("x", 201) + "\"}", "at most 200 bytes"},
		{"status: off", "status must be a mapping"},
		{"comment: yes", "write off, on-failure or always"},
	} {
		_, err := Parse("runner.yml", []byte("projects:\n  - name: api\n    url: https://git.example.com/o/api.git\n    "+c.yaml+"\n"))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.yaml, err, c.want)
		}
	}
}

func TestContextOfAStatus(t *testing.T) {
	if got := (Status{}).ContextOf("api", "push"); got != "runner/api" {
		t.Errorf("default context %q", got)
	}
	if got := (Status{Context: "ci {event}: {project}"}).ContextOf("api", "pull_request"); got != "ci pull_request: api" {
		t.Errorf("context %q", got)
	}
}
