package server

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/secrets"
)

// withSecrets gives the daemon a secret store whose key lies beside its data.
func (d *daemon) withSecrets() *secrets.Store {
	d.t.Helper()
	s, err := secrets.Open(secrets.Options{
		Path: filepath.Join(d.dir, "secrets.db"), Data: d.dir, Key: secrets.KeyFile{Path: filepath.Join(d.t.TempDir(), "key")},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { s.Close() })
	d.stop()
	d.opts.Secrets, d.addr = s, "127.0.0.1:0" // the port that was given up may be somebody else's now
	d.start()
	return s
}

func TestSecretsGoInAndNeverOut(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	store := d.withSecrets()
	c := d.client()
	value := `{"user":"hunter2"}`
	change := client.SecretChange{Name: "/prod/db", Project: "api", Value: &value, Refs: &[]string{"main"}}
	out, err := c.PutSecret(t.Context(), change)
	if err != nil || !out.Created || out.KeyMade == "" || out.Secret.Versions[0].By != "admin" {
		t.Fatalf("%+v, %v", out, err)
	}
	if out, err = c.PutSecret(t.Context(), change); err != nil || !out.Same {
		t.Errorf("the same again: %+v, %v", out, err)
	}
	got, err := store.Value(t.Context(), secrets.Subject{Project: "api", Ref: "refs/heads/main", Build: "api#1"}, secrets.Ref{Name: "/prod/db", Key: "user"})
	if err != nil || got != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
	next := "hunter2-next"
	if _, err := c.PutSecret(t.Context(), client.SecretChange{Name: "/prod/db", Project: "api", Value: &next}); err != nil {
		t.Fatal(err)
	}
	list, err := c.Secrets(t.Context(), "/prod/db")
	if err != nil || len(list) != 1 || len(list[0].Versions) != 2 || list[0].Versions[1].Stage != "AWSPREVIOUS" || !slices.Equal(list[0].Refs, []string{"main"}) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, path := range []string{"/api/v1/secrets", "/api/v1/secrets/audit", "/api/v1/secrets?name=%2Fprod%2Fdb"} {
		if resp, text := d.do(http.MethodGet, path, nil, nil); resp.StatusCode != http.StatusOK || strings.Contains(string(text), "hunter2") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
	}
	if err := c.RemoveSecret(t.Context(), "/prod/db", "api"); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveSecret(t.Context(), "/prod/db", "api"); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("removed twice: %v", err)
	}
	page, err := c.SecretAudit(t.Context(), "/prod/db", client.ListOptions{Limit: 3})
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	var actions []string
	for _, e := range page.Items {
		actions = append(actions, e.Action)
	}
	if !slices.Equal(actions, []string{"remove", "set", "read"}) || page.Items[2].Build != "api#1" || page.Items[0].By != "admin" {
		t.Errorf("%+v", page.Items)
	}
	if log := d.log.String(); strings.Contains(log, "hunter2") {
		t.Errorf("a value is in the log:\n%s", log)
	}
}

func TestSecretsThatCannotBe(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.withSecrets()
	value := "hunter2"
	for name, c := range map[string]struct {
		change client.SecretChange
		status int
	}{
		"unknown project": {client.SecretChange{Name: "a", Project: "apy", Value: &value}, http.StatusNotFound},
		"bad name":        {client.SecretChange{Name: "a b", Project: "api", Value: &value}, http.StatusUnprocessableEntity},
		"bad pattern":     {client.SecretChange{Name: "a", Project: "*", Value: &value, Refs: &[]string{"["}}, http.StatusUnprocessableEntity},
		"scope of none":   {client.SecretChange{Name: "a", Project: "*", Refs: &[]string{}}, http.StatusNotFound},
	} {
		_, err := d.client().PutSecret(t.Context(), c.change)
		if p := asProblem(t, err); p.Status != c.status || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	resp, text := d.do(http.MethodPut, "/api/v1/secrets", http.Header{"Content-Type": {"application/json"}}, []byte(`{"name":"a","project":"*","valeu":"hunter2"}`))
	if resp.StatusCode != http.StatusUnprocessableEntity || strings.Contains(string(text), "hunter2") {
		t.Errorf("an unknown key: %d %s", resp.StatusCode, text)
	}
	if resp, _ := d.do(http.MethodGet, "/api/v1/secrets?cursor=!", nil, nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a cursor of nonsense: %d", resp.StatusCode)
	}
	if resp, _ := d.send(http.MethodGet, "/api/v1/secrets/audit", nil, nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
}

func TestSecretsComeInPages(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.withSecrets()
	value := "v"
	for _, name := range []string{"a", "a/b", "ab", "b"} {
		for _, project := range []string{"*", "api"} {
			if _, err := d.client().PutSecret(t.Context(), client.SecretChange{Name: name, Project: project, Value: &value}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := d.client().Secrets(t.Context(), "")
	if err != nil || len(all) != 8 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if one, err := d.client().Secrets(t.Context(), "a"); err != nil || len(one) != 2 {
		t.Errorf("of one name: %+v, %v", one, err)
	}
	var names []string
	for cursor := ""; ; {
		page, next, err := d.opts.Secrets.List(cursor, 3, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page {
			names = append(names, s.Name+" "+s.Project)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(names) != 8 || !slices.IsSorted(names) {
		t.Errorf("%q", names)
	}
}
