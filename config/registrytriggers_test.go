package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestRegistryTriggersAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{registry: docker-hub, repository: a, secret: "env:S"}`:                                      "hint: did you mean \"dockerhub\"?",
		`{registry: artifactory, repository: a, secret: "env:S"}`:                                     "write distribution, dockerhub, harbor, quay or ghcr",
		`{registry: quay, secret: "env:S"}`:                                                           `registry-triggers[0].repository: "" is no pattern of repositories`,
		`{registry: quay, repository: "a[", secret: "env:S"}`:                                         `"a[" is no pattern of repositories`,
		`{registry: quay, repository: a, tag: "[", secret: "env:S"}`:                                  `"[" is no pattern of tags`,
		`{registry: quay, repository: a}`:                                                             "registry-triggers[0].secret: without a secret anybody could start builds",
		`{registry: quay, repository: a, secret: hunter2}`:                                            "registry-triggers[0].secret: a secret must be file:/path or env:NAME",
		`{registry: quay, repository: a, secret: "env:S", ref: refs/pull/1/head}`:                     `"refs/pull/1/head" is no branch or tag`,
		`{registry: ghcr, repository: "team/*", tag: "v*", secret: "env:S", ignore-pushers: [robot]}`: "",
	} {
		text = fmt.Sprintf("projects:\n  - {name: api, url: \"https://example.com/a.git\", registry-triggers: [%s]}\n", text)
		_, err := Parse("runner.yml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(fmt.Sprint(err), want)) {
			t.Errorf("%s\n%v\nwant %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the problem shows the secret: %v", err)
		}
	}
}

func TestAPushFitsARegistryTriggerByRepositoryTagAndPusher(t *testing.T) {
	trigger := RegistryTrigger{Repository: "team/*", Tag: "v*", IgnorePushers: []string{"robot"}}
	for _, c := range []struct {
		repository, tag, pusher string
		want                    bool
	}{
		{"team/app", "v1", "ada", true}, {"team/app", "v1", "", true}, {"team/app", "latest", "ada", false},
		{"team/app/debug", "v1", "ada", false}, {"app", "v1", "ada", false}, {"team/app", "v1", "robot", false},
	} {
		if got := trigger.Fits(c.repository, c.tag, c.pusher); got != c.want {
			t.Errorf("%s:%s by %q fits: %v", c.repository, c.tag, c.pusher, got)
		}
	}
	if !(RegistryTrigger{Repository: "app"}).Fits("app", "any", "") {
		t.Error("without a pattern of tags, not every tag fits")
	}
}
