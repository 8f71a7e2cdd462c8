//go:build linux

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// teacher is a test queue that notes what it is asked, and fails the first time that something is taken.
type teacher struct {
	mu    sync.Mutex
	asked []string
	fails int
}

func (q *teacher) note(format string, args ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked = append(q.asked, fmt.Sprintf(format, args...))
}

func (q *teacher) Join(_ context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error) {
	q.note("join %s %s %v", call.Phase, strategy, names)
	return wire.TestsAnswer{Strategy: strategy}, nil
}

func (q *teacher) Split(_ context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error) {
	q.note("split %s %s %v", call.Phase, strategy, names)
	return wire.TestsAnswer{Split: []int{0}}, nil
}

func (q *teacher) Take(_ context.Context, _ wire.TestCall, request uint64) (wire.TestsAnswer, error) {
	q.note("take %d", request)
	if q.fails++; q.fails == 1 {
		return wire.TestsAnswer{}, errors.New("the disk is full")
	}
	return wire.TestsAnswer{Token: 5, Items: []int{1}}, nil
}

func (q *teacher) Done(_ context.Context, _ wire.TestCall, done wire.TestsDone) (wire.TestsAnswer, error) {
	q.note("done %d %d %v", done.Token, done.Exit, done.Results)
	return wire.TestsAnswer{Refused: "given up"}, nil
}

func (q *teacher) Alive(_ wire.TestCall, token uint64) { q.note("alive %d", token) }

func TestTestsAreAskedOfTheQueue(t *testing.T) {
	st := newStage(t)
	q := &teacher{}
	a := st.attempt("join queue a,b", "alive", "take", "take", "done", "say end")
	a.Tests = q
	res, log := st.play(a, forgetful{})
	st.want(res, log, wire.StatusSucceeded, "Strategy:queue", "could not decide about the tests: the disk is full", "Token:5 Items:[1]", "Refused:given up", "end")
	want := []string{"join BUILD queue [a b]", "alive 5", "take 7", "take 7", "done 5 1 [{1 failed 0 [] []}]"}
	if !slices.Equal(q.asked, want) {
		t.Errorf("the queue was asked %q, want %q", q.asked, want)
	}
}

func TestListsOfTestsThatCannotBe(t *testing.T) {
	st := newStage(t)
	for name, c := range map[string]struct{ line, before, want string }{
		"another number of lines": {"join queue a,b,c", "list a", "has 1 lines, and 3 were announced"},
		"a link":                  {"join queue a", "link tests-0.list", "cannot be read"},
		"no UTF-8":                {"join queue a", "list %FF", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			q := &teacher{}
			a := st.attempt(c.before, c.line, "say end")
			a.Tests = q
			res, log := st.play(a, forgetful{})
			st.want(res, log, wire.StatusSucceeded, c.want, "end")
			if len(q.asked) > 0 {
				t.Errorf("the queue was asked %q", q.asked)
			}
		})
	}
}

func TestAJobWithoutAQueueIsToldSo(t *testing.T) {
	st := newStage(t)
	res, log := st.play(st.attempt("alive", "take", "say end"), forgetful{})
	st.want(res, log, wire.StatusSucceeded, "error: this daemon divides no tests", "end")
}

func TestAJobBeginsOnlySoManyDivisions(t *testing.T) {
	st := newStage(t)
	a := st.attempt(slices.Repeat([]string{"join queue a"}, wire.MaxTestLists+3)...)
	q := &teacher{}
	a.Tests = q
	_, log := st.play(a, forgetful{})
	if refused := strings.Count(log, "may begin no more"); len(q.asked) != wire.MaxTestLists || refused != 3 {
		t.Errorf("%d lists were taken and %d refused, want %d and 3", len(q.asked), refused, wire.MaxTestLists)
	}
}
