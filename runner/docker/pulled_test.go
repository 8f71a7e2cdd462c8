package docker

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// TestOnlyImagesThatWerePulledHereAreEvicted has one image that the daemon pulled, one of somebody else's that it used and
// asked the registry for again, and one that a build needs.
func TestOnlyImagesThatWerePulledHereAreEvicted(t *testing.T) {
	t.Parallel()
	e, r := newEngine(t), newRegistry(t, "")
	mine, theirs := r.push(t, e), r.push(t, e)
	t.Cleanup(func() { r.forget(t, e, mine); r.forget(t, e, theirs) })
	if err := e.api.ImageTag(t.Context(), enginetest.BusyboxRef, theirs); err != nil {
		t.Fatal(err)
	}
	var img runner.Image
	for _, ref := range []string{theirs, mine} {
		var err error
		if img, err = e.Resolve(t.Context(), runner.ImageRequest{Ref: ref, Pull: pullAlways}); err != nil {
			t.Fatal(err)
		}
	}
	here := func(ref string) bool {
		_, err := e.api.ImageInspect(t.Context(), ref)
		return err == nil
	}
	evict := func(age time.Duration, needed string, enough bool, want ...string) {
		t.Helper()
		gone, err := e.EvictImages(t.Context(), age, func(id string) bool { return id == needed }, func() bool { return enough })
		if err != nil || !slices.Equal(gone, want) {
			t.Errorf("%v went (%v), want %v", gone, err, want)
		}
	}
	evict(time.Hour, "", false) // used a moment ago
	evict(0, img.ID, false)     // a build needs it
	evict(0, "", true)          // there is room
	if !here(mine) {
		t.Fatal("the image is gone already")
	}
	evict(0, "", false, mine)
	if here(mine) || !here(theirs) {
		t.Errorf("ours is there: %t, theirs: %t", here(mine), here(theirs))
	}
	if left, err := os.ReadDir(e.pulledDir()); err != nil || len(left) > 0 {
		t.Errorf("records %v are left (%v)", left, err)
	}
	evict(0, "", false)
}
