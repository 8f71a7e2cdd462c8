package secrets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	s := newPlace(t).open()
	set(t, s, "pw", "api", `{"user":"secret-user"}`)
	set(t, s, "pw", "api", `{"user":"secret-user"}`) // nothing happens
	value(t, s, trustedAPI, Ref{Name: "pw", Key: "user"})
	_, _ = s.Value(t.Context(), Subject{Project: "api", Ref: "refs/pull/9/head", Build: "api#2"}, Ref{Name: "pw"})
	_, _ = s.Value(t.Context(), Subject{Project: "api", Ref: "refs/pull/9/head", Build: "api#3", Fork: true}, Ref{Name: "pw"})
	_, _ = s.Value(t.Context(), trustedAPI, Ref{Name: "unknown"})
	set(t, s, "pw", "api", `{"user":"secret-user"}`, "main")
	if err := s.Remove(t.Context(), "pw", "api", "root"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for cursor := ""; ; {
		page, next, err := s.Audit(cursor, 2, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", e.Action, e.By, e.Build, e.Field)))
			if e.Name != "pw" || e.Project != "api" || e.At.IsZero() || strings.Contains(fmt.Sprint(e), "secret-user") {
				t.Errorf("%+v", e)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	want := []string{"remove root", "scope admin", "denied api#3", "denied api#2", "read api#1 user", "set admin"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if page, _, err := s.Audit("", 10, "other"); err != nil || len(page) != 0 {
		t.Errorf("of another name: %v, %v", page, err)
	}
	if _, _, err := s.Audit("x", 10, ""); err == nil {
		t.Error("a cursor of nonsense passes")
	}
}

func TestRefusalsPushNothingElseOutOfTheAuditLog(t *testing.T) {
	s := newPlace(t).open()
	set(t, s, "pw", "api", "value")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for range maxDenied + 500 {
			if err := record(tx, Event{Action: ActionDenied, Name: "pw", Project: "api"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for cursor := ""; ; {
		page, next, err := s.Audit(cursor, 1000, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			count[e.Action]++
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if count[ActionSet] != 1 || count[ActionDenied] != maxDenied {
		t.Errorf("%v", count)
	}
}
