package config

import (
	"strings"
	"testing"
	"time"
)

func TestGreenBeforePush(t *testing.T) {
	for _, tt := range []struct {
		yaml string
		want string // of the problem; "" is none
	}{
		{"green-before-push: off", ""},
		{"green-before-push: untrusted", ""},
		{"green-before-push: on\n    green-from: [ada]", ""},
		{"green-before-push: on", "nobody is named whose do"},
		{"green-before-push: sometimes", `runner.yml:5:24: error: projects[0].green-before-push: "sometimes" is not known`},
		{"green-before-push: true", "green-before-push"},
		{"green-from: ['']", "is no name of a token or a person"},
		{"green-age: -3h", "green-age"},
		{"green-tags: perhaps", "green-tags"},
	} {
		c, err := Parse("/etc/runner/runner.yml", []byte("projects:\n  - name: api\n    url: https://example.com/api.git\n\n    "+tt.yaml+"\n"))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.yaml, err)
		case tt.want == "":
			if p := c.Projects[0]; p.TakesResults() != (p.GreenBeforePush != "off") || p.ResultAge() != 7*24*time.Hour {
				t.Errorf("%s: it takes results: %t, as old as %v", tt.yaml, p.TakesResults(), p.ResultAge())
			}
		case err == nil || !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: %v, want %q", tt.yaml, err, tt.want)
		}
	}
	if (&Project{}).TakesResults() {
		t.Error("a project that says nothing takes results")
	}
}
