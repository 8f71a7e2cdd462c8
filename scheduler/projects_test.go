package scheduler

import (
	"errors"
	"testing"

	"github.com/runner-ci/runner/config"
)

func TestANameBelongsToTheFileOrToTheAPI(t *testing.T) {
	s := open(t, statePath(t))
	if err := s.PutProject(t.Context(), config.Project{Name: "api"}); !errors.Is(err, ErrManagedByFile) {
		t.Errorf("changing a project of the file was answered %v", err)
	}
	if err := s.PutProject(t.Context(), config.Project{Name: "web", URL: "https://example.com/web.git"}); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Projects = []config.Project{{Name: "web"}}
	if err := s.Configure(cfg); err == nil {
		t.Error("a file that names a project of the API was accepted")
	}
	if list, err := s.Projects(); err != nil || len(list) != 2 {
		t.Errorf("the projects are %v (%v), want api and web", list, err)
	}
}

func TestWhoIsTrusted(t *testing.T) {
	main := Project{Project: config.Project{Name: "api"}}
	listed := Project{Project: config.Project{Name: "api", Protected: []string{"main", "refs/tags/v*", "release/*"}}}
	tags := Project{Project: config.Project{Name: "api", Protected: []string{"refs/tags/*"}}}
	tests := []struct {
		name    string
		project *Project
		trigger Trigger
		want    bool
	}{
		{"a push to the default branch", &main, Trigger{Kind: KindPush, Ref: "refs/heads/main"}, true},
		{"a push to another branch", &main, Trigger{Kind: KindPush, Ref: "refs/heads/topic"}, false},
		{"a tag, when only the default branch is protected", &main, Trigger{Kind: KindTag, Ref: "refs/tags/v1"}, false},
		{"a listed tag", &listed, Trigger{Kind: KindTag, Ref: "refs/tags/v1"}, true},
		{"a listed branch with a slash", &listed, Trigger{Kind: KindPush, Ref: "refs/heads/release/1"}, true},
		{"a listed branch", &listed, Trigger{Kind: KindPush, Ref: "refs/heads/main"}, true},
		{"a tag with the name of a listed branch", &listed, Trigger{Kind: KindTag, Ref: "refs/tags/main"}, false},
		{"a branch with the name of a listed tag", &listed, Trigger{Kind: KindPush, Ref: "refs/heads/v1"}, false},
		{"a branch called like a tag's full name", &listed, Trigger{Kind: KindPush, Ref: "refs/heads/refs/tags/main"}, false},
		{"a branch deeper than the pattern", &listed, Trigger{Kind: KindPush, Ref: "refs/heads/release/1/fix"}, false},
		{"the default branch, when only tags are protected", &tags, Trigger{Kind: KindPush, Ref: "refs/heads/main"}, false},
		{"a submit of the default branch", &main, Trigger{Kind: KindSubmit, Ref: "refs/heads/main"}, false},
		{"a pull request", &main, Trigger{Kind: KindPullRequest, Ref: "refs/pull/1/head"}, false},
		{"a manual trigger by an admin", &main, Trigger{Kind: KindManual, Ref: "refs/heads/topic"}, true},
		{"a manual trigger of the default branch", &main, Trigger{Kind: KindManual}, true},
		{"a manual trigger of a pull request's ref", &main, Trigger{Kind: KindManual, Ref: "refs/pull/1/head"}, false},
		{"a pull request that was approved", &main, Trigger{Kind: KindPullRequest, Ref: "refs/pull/1/head", Approved: &Approval{By: "ada"}}, false},
		{"a push that says it is of a fork", &main, Trigger{Kind: KindPush, Ref: "refs/heads/main", Fork: true}, false},
	}
	for _, tt := range tests {
		if got := trusted(tt.project, &tt.trigger, "refs/heads/main"); got != tt.want {
			t.Errorf("%s is trusted: %t, want %t", tt.name, got, tt.want)
		}
	}
}
