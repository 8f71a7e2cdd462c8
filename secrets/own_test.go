package secrets

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatTheDaemonKeepsForItselfIsForNobodyElse(t *testing.T) {
	dir := t.TempDir()
	o := Options{Path: filepath.Join(dir, "data", "secrets.db"), Data: filepath.Join(dir, "data"), Key: KeyFile{Path: filepath.Join(dir, "key")}}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Own(t.Context(), "webhook/api"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it is kept: %v", err)
	}
	for _, value := range []string{"first-value-of-the-hook", "second-value-of-the-hook"} {
		if err := s.SetOwn(t.Context(), "webhook/api", value, "runner"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Own(t.Context(), "webhook/api"); err != nil || got != value {
			t.Errorf("Own = %q, %v; want %q", got, err, value)
		}
	}
	for _, who := range []Subject{{Project: "api", Trusted: true, Ref: "refs/heads/main"}, {Project: ".", Trusted: true}} {
		if v, err := s.Value(t.Context(), who, Ref{Name: "webhook/api"}); who.Project == "api" && !errors.Is(err, ErrNotFound) {
			t.Errorf("a build of %s was given %q, %v", who.Project, v, err)
		}
	}
	text := "x"
	if _, err := s.Set(t.Context(), Change{Name: "webhook/api", Project: ownProject, Value: &text}); !errors.Is(err, ErrInvalid) {
		t.Errorf("somebody could set it: %v", err)
	}
	if err := s.Remove(t.Context(), "webhook/api", ownProject, "eve"); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody could remove it: %v", err)
	}
	if page, next, err := s.List("", 10, ""); err != nil || len(page) != 0 || next != "" {
		t.Errorf("it is listed: %+v, %q, %v", page, next, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(o.Path)
	if err != nil || bytes.Contains(raw, []byte("value-of-the-hook")) {
		t.Errorf("the file has the value in clear (%v)", err)
	}
	if err := Check(o, func(problem string) { t.Error(problem) }); err != nil {
		t.Error(err)
	}
	if s, err = Open(o); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		if err := s.RemoveOwn(t.Context(), "webhook/api", "runner"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Own(t.Context(), "webhook/api"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was removed: %v", err)
	}
}
