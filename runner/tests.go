package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/runner-ci/runner/runner/wire"
)

// Bounds on what one attempt may ask about tests: an agent asks twice a batch, and now and then while it waits, some times
// a second at most, perhaps for a day; a list is read once a call, and once more before it where files may be split.
const (
	maxTestRequests = 1_000_000
	maxTestJoins    = wire.MaxTestLists
)

// asked counts questions about tests.
type asked struct{ requests, joins, splits int }

// testsFor does one step of a call of codebuild-tests-run. What the job did wrong is a refusal in the answer; after an
// error the agent asks again.
func (s *session) testsFor(ctx context.Context, q wire.TestsRequest) (*wire.TestsAnswer, error) {
	if s.attempt.Tests == nil {
		return nil, errors.New("this daemon divides no tests for the job; use --sharding-strategy equal-distribution or stability")
	}
	step, refused, err := s.testStep(ctx, q)
	if err != nil {
		return nil, err
	}
	if refused != "" {
		return &wire.TestsAnswer{Refused: refused}, nil
	}
	a, err := step()
	if err != nil {
		return nil, fmt.Errorf("the daemon could not decide about the tests: %w", err)
	}
	return &a, nil
}

// testStep is what a request asks of the queue.
func (s *session) testStep(ctx context.Context, q wire.TestsRequest) (step func() (wire.TestsAnswer, error), refused string, err error) {
	queue, call := s.attempt.Tests, q.Call
	switch {
	case q.Join != nil && q.Take == nil && q.Done == nil:
		names, refused, err := s.testList(ctx, *q.Join)
		if q.Join.Split {
			return func() (wire.TestsAnswer, error) { return queue.Split(ctx, call, q.Join.Strategy, names) }, refused, err
		}
		return func() (wire.TestsAnswer, error) { return queue.Join(ctx, call, q.Join.Strategy, names) }, refused, err
	case q.Take != nil && q.Join == nil && q.Done == nil:
		return func() (wire.TestsAnswer, error) { return queue.Take(ctx, call, q.Take.Request) }, "", nil
	case q.Done != nil && q.Join == nil && q.Take == nil:
		return func() (wire.TestsAnswer, error) { return queue.Done(ctx, call, *q.Done) }, "", nil
	}
	return nil, "the request about tests is not one that this daemon knows; use releases of agent and daemon that belong together", nil
}

// testList reads the list that a shard found from its spool. An error is the machine's; a list that cannot be is
// refused.
func (s *session) testList(ctx context.Context, j wire.TestsJoin) (names []string, refused string, err error) {
	if j.Split {
		s.tests.splits++
	} else {
		s.tests.joins++
	}
	if max(s.tests.joins, s.tests.splits) > maxTestJoins {
		return nil, fmt.Sprintf("this job has begun %d divisions of tests, and may begin no more", maxTestJoins), nil
	}
	switch {
	case j.List < 0 || j.List >= wire.MaxTestLists:
		return nil, fmt.Sprintf("there is no list of tests with the number %d; a job may have %d", j.List, wire.MaxTestLists), nil
	case j.Names < 1 || j.Names > wire.MaxTests:
		return nil, fmt.Sprintf("the files search found %d tests, expected 1 to %d; let it print files rather than single tests", j.Names, wire.MaxTests), nil
	}
	name := wire.TestListFile(j.List)
	f, err := s.open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil, fmt.Sprintf("the list of tests %s cannot be read: %v", name, err), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the list of tests %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, wire.MaxTestList+1))
	if err != nil {
		return nil, "", fmt.Errorf("reading the list of tests %s: %w", name, err)
	}
	if len(text) > wire.MaxTestList {
		return nil, fmt.Sprintf("the list of tests has more than %d bytes; let the files search print files rather than single tests", wire.MaxTestList), nil
	}
	names, refused = testNames(string(text), j.Names)
	return names, refused, nil
}

// testNames are the lines of a list of so many.
func testNames(text string, want int) (names []string, refused string) {
	if !utf8.ValidString(text) {
		return nil, "the list of tests holds a name that is not UTF-8, which no report could show; rename the file"
	}
	names = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(names) != want {
		return nil, fmt.Sprintf("the list of tests has %d lines, and %d were announced", len(names), want)
	}
	return names, ""
}

// alive passes on that a shard works on its batch.
func (s *session) alive(f wire.Frame) {
	var a wire.Alive
	if s.attempt.Tests == nil || wire.Decode(f, &a) != nil {
		return
	}
	s.attempt.Tests.Alive(a.Call, a.Token)
}
