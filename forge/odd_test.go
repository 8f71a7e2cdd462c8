package forge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestAnybodysPayloadIsAnAnswer has every forge read what it would never send: nobody is known by then.
func TestAnybodysPayloadIsAnAnswer(t *testing.T) {
	events := []string{
		"push", "create", "delete", "pull_request", "release", "issue_comment", "Push Hook", "repo:push", "pullrequest:created",
		"pullrequest:comment_created", "repo:refs_changed", "pr:opened", "pr:comment:added", "diagnostics:ping", "",
	}
	bodies := []string{
		``, `null`, `[]`, `"push"`, `{}`, `{`, `{"repository":null,"project":null,"push":null,"pullRequest":null}`,
		`{"push":{"changes":[null]}}`, `{"push":{"changes":[{"old":null,"new":null}]}}`, `{"changes":[null]}`, `{"changes":null}`,
		`{"commits":[],"before":"","after":"","ref":""}`, `{"pull_request":null,"action":"opened"}`, `{"pull_request":{"head":null,"base":null}}`,
		`{"object_kind":"push"}`, `{"object_kind":"merge_request","object_attributes":null}`, `{"object_kind":"note"}`, `{"object_kind":"release","action":"create"}`,
		`{"issue":{"pull_request":{}},"comment":null,"action":"created"}`, `{"pullrequest":null}`, `{"pullRequest":{"fromRef":null,"toRef":null,"id":-1}}`,
		`{"repository":{"links":{"clone":[null,null]}}}`, strings.Repeat(`{"repository":`, 20000) + `1` + strings.Repeat(`}`, 20000),
	}
	for _, f := range All() {
		for _, event := range events {
			for _, body := range bodies {
				header := http.Header{"Content-Type": {"application/json"}}
				header.Set(eventHeaders[f.Name()], event)
				e, err := f.Parse(header, []byte(body))
				e.Repository.Keys()
				if err == nil {
					sound(t, e)
				}
			}
		}
	}
}

func TestWhatIsWrongIsSaidAndTheRepositoryStillKnown(t *testing.T) {
	for _, c := range []struct {
		file, event, path string
		value             any
		says              string
	}{
		{"gitlab/push", "Push Hook", "ref", "main", "no full name of a ref"},
		{"gitlab/push", "Push Hook", "ref", 5, "not what GitLab sends"},
		{"gitlab/mr_open", "Merge Request Hook", "object_attributes.last_commit", nil, "no full commit id"},
		{"gitlab/mr_open", "Merge Request Hook", "object_attributes.iid", 0, "number is 0"},
		{"gitlab/mr_open", "Merge Request Hook", "object_attributes.source_branch", "a b", "no full name of a ref"},
		{"gitlab/release", "Release Hook", "tag", "../x", "no full name of a ref"},
		{"gitea/push", "push", "after", "HEAD", "no full commit id"},
		{"gitea/push", "", "after", newTip, "X-Gitea-Event"},
		{"gitea/pr_opened", "pull_request", "pull_request.head.sha", "", "no full commit id"},
		{"gogs/tag", "create", "sha", "", "no full commit id"},
		{"bitbucket/push", "repo:push", "push.changes", []any{}, "changes 0 refs"},
		{"bitbucket/push", "repo:push", "push.changes", make([]any, 3), "neither what was nor what is"},
		{"bitbucket/push", "", "actor", nil, "X-Event-Key"},
		{"bitbucket-server/push", "repo:refs_changed", "changes", make([]any, maxChanges+1), "changes 101 refs"},
		{"bitbucket-server/pr_opened", "pr:opened", "pullRequest.fromRef.latestCommit", "1234", "no full commit id"},
	} {
		t.Run(c.file+" "+c.path, func(t *testing.T) {
			name, _, _ := strings.Cut(c.file, "/")
			header := http.Header{"Content-Type": {"application/json"}}
			header.Set(eventHeaders[name], c.event)
			e, err := byName(t, name).Parse(header, change(t, c.file, c.path, c.value))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Parse says %v, want %q", err, c.says)
			}
			if !strings.EqualFold(e.Repository.Name, "team/api") {
				t.Errorf("the repository is %+v", e.Repository)
			}
		})
	}
}

func TestMoreTextThanAnybodyReadsIsCut(t *testing.T) {
	var labels []any
	for i := range 3 * maxLabels {
		labels = append(labels, map[string]any{"title": fmt.Sprint(i, strings.Repeat("é", maxText))})
	}
	body := change(t, "gitlab/mr_open", "object_attributes.labels", labels)
	e, err := GitLab{}.Parse(http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil || len(e.Labels) != maxLabels {
		t.Fatalf("%d labels, %v", len(e.Labels), err)
	}
	sound(t, e)
}

func TestCommands(t *testing.T) {
	for text, want := range map[string]string{
		"/runner build": CommandBuild, "/runner retry\nthanks": CommandRetry, "  /runner   build  \r\n": CommandBuild, "\n/runner build": CommandBuild,
		"": "", "/runner": "", "/runner Build": "", "/runner build now": "", "/runner build 0123ABC": CommandBuild, "/runner build 012345": "", "/runner build 0123abc please": "", "/runner retry 0123abc": "", "please /runner build": "", "> /runner build": "", "/runners build": "", "look:\n/runner build": "",
	} {
		e, err := remark{number: 7, ref: "refs/pull/7/head", text: text}.event(Event{})
		if err != nil || e.Command != want || (want == "") != (e.Kind == Other) || (want == "") != (e.Ignore != "") {
			t.Errorf("%q is %+v, %v; want %q", text, e, err, want)
		}
		if meant := strings.Contains(text, "0123ABC"); (e.Meant == "0123abc") != meant || !meant && e.Command != "" && e.Meant != "" {
			t.Errorf("%q is for commit %q", text, e.Meant)
		}
	}
}
