package forge

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestEachForgeTakesComments(t *testing.T) {
	for _, c := range []struct {
		forge, repository, all, one, edit, list string
		body                                    func(string) map[string]any
	}{
		{NameGitHub, "o/api", "/repos/o/api/issues/7/comments", "/repos/o/api/issues/comments/12", "PATCH", `[{"id":3,"body":"hi"},{"id":12,"body":"a mark here"},{"id":13,"body":"a mark copied"}]`, plain},
		{NameGitea, "o/api", "/api/v1/repos/o/api/issues/7/comments", "/api/v1/repos/o/api/issues/comments/12", "PATCH", `[{"id":3,"body":"hi"},{"id":12,"body":"a mark here"}]`, plain},
		{NameForgejo, "o/api", "/api/v1/repos/o/api/issues/7/comments", "/api/v1/repos/o/api/issues/comments/12", "PATCH", `[{"id":12,"body":"a mark here"}]`, plain},
		{NameGogs, "o/api", "/api/v1/repos/o/api/issues/7/comments", "/api/v1/repos/o/api/issues/7/comments/12", "PATCH", `[{"id":12,"body":"a mark here"}]`, plain},
		{NameGitLab, "g/s/api", "/api/v4/projects/g%2Fs%2Fapi/merge_requests/7/notes", "/api/v4/projects/g%2Fs%2Fapi/merge_requests/7/notes/12", "PUT", `[{"id":12,"body":"a mark here"}]`, plain},
		{NameBitbucket, "o/api", "/2.0/repositories/o/api/pullrequests/7/comments", "/2.0/repositories/o/api/pullrequests/7/comments/12", "PUT",
			`{"values":[{"id":9,"deleted":true,"content":{"raw":"a mark gone"}},{"id":12,"content":{"raw":"a mark here"}}]}`,
			func(text string) map[string]any { return map[string]any{"content": map[string]any{"raw": text}} }},
	} {
		t.Run(c.forge, func(t *testing.T) {
			address, requests := double(t, `201 {"id":12}`, `200 {"id":12}`, "200 "+c.list, `404 {"message":"Not Found"}`)
			a := dialed(t, c.forge, address)
			id, err := a.AddComment(t.Context(), c.repository, 7, "red")
			if err != nil || id != "12" {
				t.Fatalf("id %q, %v", id, err)
			}
			if err := a.EditComment(t.Context(), c.repository, 7, id, "green"); err != nil {
				t.Fatal(err)
			}
			if found, err := a.FindComment(t.Context(), c.repository, 7, "a mark"); err != nil || found != "12" {
				t.Errorf("found %q, %v; want 12, the oldest that is there", found, err)
			}
			if err := a.EditComment(t.Context(), c.repository, 7, id, "green"); !errors.Is(err, ErrNoComment) {
				t.Errorf("editing one that is gone: %v", err)
			}
			r := requests()
			if r[0].method != "POST" || r[0].path != c.all || !reflect.DeepEqual(r[0].body, c.body("red")) {
				t.Errorf("%s %s %v, want POST %s", r[0].method, r[0].path, r[0].body, c.all)
			}
			if r[1].method != c.edit || r[1].path != c.one || !reflect.DeepEqual(r[1].body, c.body("green")) {
				t.Errorf("%s %s %v, want %s %s", r[1].method, r[1].path, r[1].body, c.edit, c.one)
			}
			if !strings.HasPrefix(r[2].path, c.all+"?") {
				t.Errorf("asked %s for comments", r[2].path)
			}
		})
	}
}

func plain(text string) map[string]any { return map[string]any{"body": text} }

func TestBitbucketServerWantsTheVersionOfAComment(t *testing.T) {
	activities := `200 {"isLastPage":true,"values":[{"action":"APPROVED"},{"action":"COMMENTED","comment":{"id":14,"text":"a mark copied"}},{"action":"COMMENTED","comment":{"id":12,"text":"a mark here"}}]}`
	address, requests := double(t, `201 {"id":12,"version":0}`, `200 {"id":12,"version":3}`, `200 {"id":12,"version":4}`, activities)
	a := dialed(t, NameBitbucketServer, address)
	if id, err := a.AddComment(t.Context(), "PRJ/api", 7, "red"); err != nil || id != "12" {
		t.Fatalf("id %q, %v", id, err)
	}
	if err := a.EditComment(t.Context(), "PRJ/api", 7, "12", "green"); err != nil {
		t.Fatal(err)
	}
	if id, err := a.FindComment(t.Context(), "PRJ/api", 7, "a mark"); err != nil || id != "12" {
		t.Errorf("found %q, %v", id, err)
	}
	r := requests()
	const all = "/rest/api/1.0/projects/PRJ/repos/api/pull-requests/7/comments"
	if r[0].path != all || r[1].path != all+"/12" || r[2].method != "PUT" || r[2].path != all+"/12" || r[2].body["version"] != 3.0 || r[2].body["text"] != "green" {
		t.Errorf("asked %+v", r)
	}
}

// TestLookingForACommentEnds: a forge without pages answers all comments each time, and one that lies answers for ever.
func TestLookingForACommentEnds(t *testing.T) {
	address, requests := double(t, `200 [{"id":1,"body":"hi"}]`, `200 [{"id":1,"body":"hi"}]`)
	if id, err := dialed(t, NameGitea, address).FindComment(t.Context(), "o/api", 7, "a mark"); err != nil || id != "" || len(requests()) != 2 {
		t.Errorf("found %q, %v, after %d questions", id, err, len(requests()))
	}
	var answers []string
	for i := range 50 {
		answers = append(answers, fmt.Sprintf(`200 [{"id":%d,"body":"hi"}]`, i+1))
	}
	address, requests = double(t, answers...)
	if id, err := dialed(t, NameGitHub, address).FindComment(t.Context(), "o/api", 7, "a mark"); err != nil || id != "" || len(requests()) != maxCommentPages {
		t.Errorf("found %q, %v, after %d questions", id, err, len(requests()))
	}
}
