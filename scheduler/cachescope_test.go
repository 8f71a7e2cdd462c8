package scheduler

import (
	"fmt"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
)

func TestCachesStayWhereTheyCannotHurt(t *testing.T) {
	tests := []struct {
		name  string
		build Build
		actor string
		want  string
	}{
		{"a trusted build reads nothing of anybody else", Build{Ref: "refs/heads/main", Trusted: true}, "", "[api/protected] api/protected"},
		{"a branch", Build{Ref: "refs/heads/topic"}, "", "[api/ref/refs/heads/topic api/protected] api/ref/refs/heads/topic"},
		{"a fork's pull request", Build{Ref: "refs/pull/7/head", Fork: true}, "", "[api/ref/refs/pull/7/head api/protected] api/ref/refs/pull/7/head"},
		{"a fork's that says it is trusted", Build{Ref: "refs/pull/7/head", Fork: true, Trusted: true}, "", "[api/ref/refs/pull/7/head api/protected] api/ref/refs/pull/7/head"},
		{"a commit that is not on the branch it was started for", Build{Ref: "refs/heads/main", Fork: true, Commit: "c0ffee"}, "", "[api/commit/c0ffee api/protected] api/commit/c0ffee"},
		{"a submit, whose ref is its own", Build{Ref: "refs/runner/submit/2026-01-01/x", Author: "mallory"}, "ada", "[api/submit/ada api/protected] api/submit/ada"},
	}
	retried := cacheScope(&Build{Project: "api", Ref: "refs/runner/submit/2026-01-01/x"}, &Trigger{Kind: KindRetry, Actor: "ada", Submitter: "mallory"})
	if retried.Write != "api/submit/mallory" {
		t.Errorf("what another's tree leaves is written to %s by who retries it", retried.Write)
	}
	for _, tt := range tests {
		tt.build.Project = "api"
		c := cacheScope(&tt.build, &Trigger{Actor: tt.actor})
		if got := fmt.Sprintf("%v %s", c.Read, c.Write); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestWhoGetsGitCredentials(t *testing.T) {
	https := config.Project{URL: "https://example.com:8443/o/r.git", Token: "env:T", Username: "bot"}
	ssh, bare := https, https
	ssh.URL, bare.Token = "git@example.com:o/r.git", ""
	tests := []struct {
		name    string
		project config.Project
		build   Build
		want    string // address; "" is none
	}{
		{"a trusted build", https, Build{Trusted: true}, "https://example.com:8443"},
		{"an untrusted one", https, Build{}, ""},
		{"a fork's", https, Build{Trusted: true, Fork: true}, ""},
		{"a project without a token", bare, Build{Trusted: true}, ""},
		{"a project reached over ssh", ssh, Build{Trusted: true}, ""},
	}
	for _, tt := range tests {
		p, pj := &Project{Project: tt.project}, &buildspec.Job{GitCredentials: true}
		got := ""
		if c := gitCredentials(p, &tt.build, pj, "secret"); c != nil && c.Username == "bot" && c.Token == "secret" {
			got = c.URL
		}
		tt.build.Plan = &buildspec.Plan{Jobs: []buildspec.Job{*pj, *pj}}
		warnOfGit(p, &tt.build)
		if got != tt.want || (len(tt.build.Warnings) == 1) != (tt.want == "") {
			t.Errorf("%s gets %q and is told %q, want %q", tt.name, got, tt.build.Warnings, tt.want)
		}
		if c := gitCredentials(p, &tt.build, &buildspec.Job{}, "secret"); c != nil {
			t.Errorf("%s gets credentials that its buildspec does not ask for", tt.name)
		}
	}
}
