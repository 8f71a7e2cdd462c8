package secrets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

// place is a data directory with a key beside it.
type place struct {
	t         *testing.T
	data, key string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{t, filepath.Join(dir, "data"), filepath.Join(dir, "etc", "key")}
	if err := os.Mkdir(p.data, 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) options() Options {
	return Options{Path: filepath.Join(p.data, "secrets.db"), Data: p.data, Key: KeyFile{Path: p.key}}
}

func (p *place) open() *Store {
	p.t.Helper()
	s, err := Open(p.options())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

func (p *place) problems() []string {
	p.t.Helper()
	var out []string
	if err := Check(p.options(), func(problem string) { out = append(out, problem) }); err != nil {
		p.t.Fatal(err)
	}
	return out
}

func set(t *testing.T, s *Store, name, project, value string, refs ...string) Changed {
	t.Helper()
	out, err := s.Set(t.Context(), Change{Name: name, Project: project, Value: &value, Refs: &refs, By: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var trustedAPI = Subject{Project: "api", Ref: "refs/heads/main", Trusted: true, Build: "api#1"}

func value(t *testing.T, s *Store, who Subject, ref Ref) string {
	t.Helper()
	v, err := s.Value(t.Context(), who, ref)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestASecretOutlivesARestart(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	if _, err := os.Stat(p.key); err == nil {
		t.Error("a key was made before there was a secret")
	}
	out := set(t, s, "/prod/db", "api", "hunter2hunter2")
	if out.KeyMade != p.key || !out.Created {
		t.Errorf("%+v", out)
	}
	if again := set(t, s, "/prod/db", "api", "hunter2hunter2"); !again.Same || again.KeyMade != "" {
		t.Errorf("set again: %+v", again)
	}
	for path, mode := range map[string]os.FileMode{p.key: 0o600, filepath.Dir(p.key): 0o700, filepath.Join(p.data, "secrets.db"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %o", path, info.Mode(), err, mode)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"secrets.db"} {
		text, err := os.ReadFile(filepath.Join(p.data, file))
		if err != nil || strings.Contains(string(text), "hunter2") {
			t.Errorf("%s holds the value in clear, or is not there (%v)", file, err)
		}
	}
	if got := value(t, p.open(), trustedAPI, Ref{Name: "/prod/db"}); got != "hunter2hunter2" {
		t.Errorf("got %q", got)
	}
}

func TestAStoreWithoutItsKeyIsLocked(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	set(t, s, "token", AllProjects, "first-value")
	s.Close()
	right, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	other := KeyFile{Path: filepath.Join(t.TempDir(), "key")}
	if err := other.make(p.data); err != nil {
		t.Fatal(err)
	}
	wrong, err := os.ReadFile(other.Path)
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(p.data, "key")
	for _, c := range []struct {
		name string
		make func() error
		want string
	}{
		{"missing", func() error { return nil }, "there is no file"},
		{"wrong", func() error { return os.WriteFile(p.key, wrong, 0o600) }, "not the one that the secrets are sealed to"},
		{"garbage", func() error { return os.WriteFile(p.key, []byte("AGE-SECRET-KEY-1GARBAGE\n"), 0o600) }, "no age identity"},
		{"readable", func() error { return os.WriteFile(p.key, right, 0o640) }, "chmod 600"},
		{"directory", func() error { return os.Mkdir(p.key, 0o700) }, "no regular file"},
		{"link into the data directory", func() error {
			return errors.Join(os.WriteFile(inside, right, 0o600), os.Symlink(inside, p.key))
		}, "lies in the data directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(p.key), c.make()); err != nil {
				t.Fatal(err)
			}
			s := p.open()
			defer s.Close()
			v := "x-new-value"
			_, setErr := s.Set(t.Context(), Change{Name: "token", Project: AllProjects, Value: &v})
			_, readErr := s.Value(t.Context(), trustedAPI, Ref{Name: "token"})
			checkErr := s.Check(t.Context(), trustedAPI, Ref{Name: "token"})
			for what, err := range map[string]error{"set": setErr, "value": readErr, "check": checkErr} {
				if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "GARBAGE") {
					t.Errorf("%s: %v, want %s", what, err, c.want)
				}
			}
			if page, _, err := s.List("", 10, ""); err != nil || len(page) != 1 {
				t.Errorf("a locked store lists %v, %v", page, err)
			}
			// The key comes back without a restart.
			if err := errors.Join(os.RemoveAll(p.key), os.WriteFile(p.key, right, 0o600)); err != nil {
				t.Fatal(err)
			}
			if got := value(t, s, trustedAPI, Ref{Name: "token"}); got != "first-value" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestALostKeyCostsTheSecretsAndNotTheStore(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	set(t, s, "lost", "api", "value")
	s.Close()
	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	s = p.open()
	v := "anew"
	if _, err := s.Set(t.Context(), Change{Name: "more", Project: "api", Value: &v}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second key was made while the first is missed: %v", err)
	}
	if err := s.Remove(t.Context(), "lost", "api", "admin"); err != nil {
		t.Fatal(err)
	}
	if out := set(t, s, "lost", "api", v); out.KeyMade == "" || value(t, s, trustedAPI, Ref{Name: "lost"}) != v {
		t.Errorf("%+v", out)
	}
}

func TestTheKeyIsNotMadeInTheDataDirectory(t *testing.T) {
	p := newPlace(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(p.data, link); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{filepath.Join(p.data, "key"), filepath.Join(link, "deep", "key"), filepath.Join(p.data, "..", "data", "key")} {
		o := p.options()
		o.Key.Path = key
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		v := "value"
		if _, err := s.Set(t.Context(), Change{Name: "a", Project: "api", Value: &v}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "lies in the data directory") {
			t.Errorf("%s: %v", key, err)
		}
		s.Close()
		if _, err := os.Stat(key); err == nil {
			t.Errorf("%s was made", key)
		}
	}
}

func TestANewKeyIsPutAboveTheOldOne(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	for i := range 3 {
		set(t, s, "rotated", "api", fmt.Sprint("value-", i))
	}
	s.Close()
	old, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	fresh := KeyFile{Path: filepath.Join(t.TempDir(), "key")}
	if err := fresh.make(p.data); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fresh.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{string(text) + string(old), string(text)} {
		if err := os.WriteFile(p.key, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := p.open()
		if now, before := value(t, s, trustedAPI, Ref{Name: "rotated"}), value(t, s, trustedAPI, Ref{Name: "rotated", Stage: StagePrevious}); now != "value-2" || before != "value-1" {
			t.Errorf("%q, %q", now, before)
		}
		s.Close()
	}
	if problems := p.problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestConcurrentSetsAreAllKept(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			v := fmt.Sprint("value-", i)
			if _, err := s.Set(context.Background(), Change{Name: "shared", Project: "api", Value: &v}); err != nil {
				t.Error(err)
			}
			if _, err := s.Value(context.Background(), trustedAPI, Ref{Name: "shared"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	page, _, err := s.List("", 10, "shared")
	if err != nil || len(page) != 1 || len(page[0].Versions) != 8 {
		t.Fatalf("%+v, %v", page, err)
	}
	s.Close()
	if problems := p.problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestANewerFileIsRefused(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	set(t, s, "a", "api", "value")
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaVersion, number(schemaVersion+1)) })
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(p.options()); err == nil || !strings.Contains(err.Error(), "use the newer binary") {
		t.Errorf("%v", err)
	}
}

func TestDamageIsReported(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	set(t, s, "low", AllProjects, "public", "**")
	set(t, s, "high", "api", "private")
	set(t, s, "gone", "api", "gone")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketValues)
		private := append([]byte(nil), b.Get(valueKey("high", "api", "1"))...)
		return errors.Join(
			b.Put(valueKey("low", AllProjects, "1"), private), // to read it by a name with a wider scope
			b.Put(valueKey("stray", "api", "1"), []byte("x")),
			b.Delete(valueKey("gone", "api", "1")),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Value(t.Context(), trustedAPI, Ref{Name: "low"}); err == nil {
		t.Errorf("the moved value was given: %q", got)
	}
	s.Close()
	problems := strings.Join(p.problems(), "\n")
	for _, want := range []string{"holds the value of another secret", "stray is a value that no secret has", "gone has no value"} {
		if !strings.Contains(problems, want) {
			t.Errorf("%q is not among\n%s", want, problems)
		}
	}
	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	if problems := strings.Join(p.problems(), "\n"); strings.Contains(problems, "another secret") || !strings.Contains(problems, "gone has no value") {
		t.Errorf("without the key: %s", problems)
	}
}
