//go:build linux

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

func TestEarlyReportsAreReadWhileTheJobRuns(t *testing.T) {
	st := newStage(t)
	var read []string
	st.Early = func(_ context.Context, attempt string, _ int, groups []wire.ReportGroup, tar io.Reader) error {
		text, err := io.ReadAll(tar)
		read = append(read, fmt.Sprintf("%s %v %s", groups[0].Name, attempt != "", text))
		return errors.Join(err, errors.New("what is wrong with a report fails no job"))
	}
	res, log := st.play(st.attempt("early 0 one", "early 1 two", "early 99 three", "say end"), forgetful{})
	st.want(res, log, wire.StatusSucceeded, "end")
	if want := []string{"unit true one", "unit true two"}; !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
}

func TestAJobTellsEarlyReportsOnlySoOften(t *testing.T) {
	st := newStage(t)
	n := 0
	st.Early = func(context.Context, string, int, []wire.ReportGroup, io.Reader) error { n++; return nil }
	res, log := st.play(st.attempt(append(slices.Repeat([]string{"early 0 x"}, wire.MaxEarly+5), "say end")...), forgetful{})
	if st.want(res, log, wire.StatusSucceeded, "end"); n != wire.MaxEarly {
		t.Errorf("%d early reports were read, want %d", n, wire.MaxEarly)
	}
}
