package artifacts

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestACopyIsWholeWhateverGoesMeanwhile removes a set in segments while a copy is being read, and opens the copy.
func TestACopyIsWholeWhateverGoesMeanwhile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	body := noise(5, 12<<20)
	put(t, s, "one", entry{name: "x", body: body}, text("small", "s"))
	putCache(t, s, CacheMeta{Scope: "api", Key: "k", Paths: "p"}, "cached")
	path := filepath.Join(t.TempDir(), "artifacts.db")
	collected := make(chan error, 1)
	err := s.Copy(t.Context(), path, func(ctx context.Context, segments []string) error {
		if err := s.RemoveSet(ctx, "one"); err != nil {
			return err
		}
		go func() {
			_, err := s.Collect(context.Background())
			collected <- err
		}()
		put(t, s, "later", text("y", "z")) // nothing that is put in waits
		if len(segments) != 1 {
			t.Errorf("the segments are %v, want one", segments)
		}
		for _, from := range segments {
			content, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			to := filepath.Join(path+".segments", filepath.Base(from))
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(to, content, 0o600); err != nil {
				return err
			}
		}
		if len(collected) > 0 {
			t.Error("garbage was collected while the copy was read")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-collected; err != nil {
		t.Fatal(err)
	}
	copied, _ := newStoreAt(t, path)
	clean(t, copied)
	if !bytes.Equal(content(t, copied, "one", "x"), body) {
		t.Error("the copy's content is another")
	}
	clean(t, s)
}
