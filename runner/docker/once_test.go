package docker

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestOnceSharesOneAnswer(t *testing.T) {
	var o once[int]
	asked, release := 0, make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			n, err := o.get(t.Context(), func(context.Context) (int, error) { asked++; <-release; return 7, nil })
			if n != 7 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestOnceForgetsFailures(t *testing.T) {
	var o once[int]
	down := errors.New("down")
	if _, err := o.get(t.Context(), func(context.Context) (int, error) { return 0, down }); !errors.Is(err, down) {
		t.Error(err)
	}
	for _, want := range []int{1, 1} {
		if n, err := o.get(t.Context(), func(context.Context) (int, error) { return 1, nil }); n != want || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	o.forget()
	if n, err := o.get(t.Context(), func(context.Context) (int, error) { return 2, nil }); n != 2 || err != nil {
		t.Errorf("after forget: %d, %v", n, err)
	}
}

// TestOnceOutlivesAnImpatientAsker tells of a first caller that gives up: the second asks by itself, and a third that
// does not want to wait need not.
func TestOnceOutlivesAnImpatientAsker(t *testing.T) {
	var o once[int]
	impatient, cancel := context.WithCancel(t.Context())
	asking := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := o.get(impatient, func(ctx context.Context) (int, error) { close(asking); <-ctx.Done(); return 0, ctx.Err() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the asker got %v", err)
		}
	})
	<-asking
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := o.get(gone, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("one that does not wait got %v", err)
	}
	wg.Go(func() {
		n, err := o.get(t.Context(), func(context.Context) (int, error) { return 3, nil })
		if n != 3 || err != nil {
			t.Errorf("the second got %d, %v", n, err)
		}
	})
	cancel()
	wg.Wait()
}
