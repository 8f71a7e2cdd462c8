package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runner-ci/runner/artifacts"
)

func TestCachesAreListedAndRemoved(t *testing.T) {
	d := newDaemon(t)
	for i := range 120 { // more than a page
		meta := artifacts.CacheMeta{Scope: "api/protected", Key: fmt.Sprintf("key-\xff%d", i), Paths: "p"}
		if _, _, err := d.store.PutCache(t.Context(), meta, strings.NewReader("text"), 0); err != nil {
			t.Fatal(err)
		}
	}
	caches, err := d.client().Caches(t.Context())
	if err != nil || len(caches) != 120 {
		t.Fatalf("%d caches, %v", len(caches), err)
	}
	if c := caches[0]; c.Scope != "api/protected" || !strings.HasPrefix(c.Key, "key-�") || c.Bytes != 4 || c.Paths != "p" || c.Created.IsZero() || len(c.SHA256) != 64 {
		t.Errorf("one is %+v", c)
	}
	for range 2 {
		if err := d.client().RemoveCache(t.Context(), caches[7].ID); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := d.client().Caches(t.Context()); err != nil || len(left) != 119 {
		t.Errorf("%d caches are left, %v", len(left), err)
	}
}
