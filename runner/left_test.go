//go:build linux

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/process"
	"github.com/runner-ci/runner/runner/wire"
)

// stage is a runner whose sandboxes hold puppets, on the real executor of this host and a real store.
type stage struct {
	*runner.Runner
	t  *testing.T
	ex *process.Executor
	n  int
}

func newStage(t *testing.T) *stage {
	t.Helper()
	store, err := artifacts.Open(filepath.Join(t.TempDir(), "artifacts.db"), artifacts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Check(context.Background(), func(p string) { t.Error("check:", p) }); err != nil {
			t.Error(err)
		}
		store.Close()
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "sandboxes")
	ex, err := process.New(process.Options{
		Engine: engine, Instance: "test-instance", Root: root, AgentPath: self, AgentArgs: []string{puppetArg},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &runner.Runner{
		Artifacts: store, Executors: map[string]runner.Executor{engine: ex}, Sandboxes: root, Epoch: 1,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	return &stage{Runner: r, t: t, ex: ex}
}

// attempt is one that does what the lines say.
func (st *stage) attempt(lines ...string) runner.Attempt {
	st.n++
	id := fmt.Sprintf("00c0ffee%08x", st.n)
	st.t.Cleanup(func() {
		if err := st.Destroy(context.Background(), engine, id); err != nil {
			st.t.Error(err)
		}
	})
	return runner.Attempt{
		ID: "api#1/build@" + fmt.Sprint(st.n), Sandbox: id, Log: id, Set: "set/" + fmt.Sprint(st.n), Timeout: time.Minute,
		Job: wire.Job{
			Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: lines}}, Exported: []string{"TAG", "EMPTY"},
			Secondary: []wire.ArtifactSpec{{ID: "docs"}, {ID: "src-2"}, {ID: "../x"}},
		},
	}
}

// play runs an attempt to its end, and returns its log.
func (st *stage) play(a runner.Attempt, ev runner.Events) (runner.Result, string) {
	st.t.Helper()
	res, err := st.Run(st.t.Context(), engine, a, ev)
	if err != nil {
		st.t.Fatal(err)
	}
	return res, st.read(a.Log)
}

func (st *stage) read(log string) string {
	st.t.Helper()
	text, err := io.ReadAll(st.Artifacts.ReadLog(st.t.Context(), log, 0, false))
	if err != nil {
		st.t.Fatal(err)
	}
	return string(text)
}

func (st *stage) want(res runner.Result, log string, status wire.Status, lines ...string) {
	st.t.Helper()
	if res.Status != status {
		st.t.Errorf("it ended as %+v, want %s", res, status)
	}
	for _, line := range lines {
		if n := strings.Count(log, line); n != 1 {
			st.t.Errorf("%q is %d times in the log, want once:\n%s", line, n, log)
		}
	}
}

func TestWhatAJobLeavesIsTakenIn(t *testing.T) {
	st := newStage(t)
	a := st.attempt("artifacts app app-1.0", "secondary a docs", "secondary b src-2", "reports 0/junit.xml",
		"export TAG v1", "export OTHER x", "export TAG v2", "export EMPTY", "cache key-1 content")
	a.Cache.Write = "api@protected"
	res, log := st.play(a, forgetful{})
	st.want(res, log, wire.StatusSucceeded, "Stored the cache, 7 bytes", `Note on the artifacts: link "out"`, `Note on the secondary artifacts "docs": link "out"`)
	want := runner.Result{
		Status: wire.StatusSucceeded, Set: "set/1", Secondary: map[string]string{"docs": "set/1/docs", "src-2": "set/1/src-2"},
		Reports:  &runner.Reports{Set: "set/1/.reports", Groups: []wire.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1}}},
		Exported: []wire.Var{{Name: "TAG", Value: "v1"}, {Name: "EMPTY"}},
	}
	if !reflect.DeepEqual(res, want) {
		t.Errorf("the result is %+v, want %+v", res, want)
	}
	for set, path := range map[string]string{"set/1": "app", "set/1/docs": "a", "set/1/src-2": "b", "set/1/.reports": "0/junit.xml"} {
		got, err := st.Artifacts.Set(set)
		if err != nil || !strings.HasSuffix(got.Files[len(got.Files)-1].Path, filepath.Base(path)) {
			t.Errorf("set %s: %+v, %v, want %s in it", set, got, err, path)
		}
	}
	// A daemon that died with the result in hand is followed by one that takes all of it again.
	a.Sent = true
	again, log := st.play(a, forgetful{})
	st.want(again, log, wire.StatusSucceeded, "Stored the cache", "Note on the artifacts")
	if !reflect.DeepEqual(again, want) {
		t.Errorf("taken again it is %+v", again)
	}
}

func TestWhatCannotBeTakenIn(t *testing.T) {
	for name, test := range map[string]struct {
		lines  []string
		status wire.Status
		log    string
	}{
		"a secondary artifact that is missing":    {[]string{"artifacts a", "secondary - docs"}, wire.StatusFailed, `FAILED: the secondary artifacts "docs" could not be taken in`},
		"an identifier that is a path":            {[]string{"secondary a ../../x"}, wire.StatusFailed, "want each identifier that the buildspec has"},
		"the same identifier twice":               {[]string{"secondary a docs", "secondary b docs"}, wire.StatusFailed, "want each identifier that the buildspec has"},
		"an identifier that is where reports are": {[]string{"secondary a .reports"}, wire.StatusFailed, "want each identifier that the buildspec has"},
		"an identifier that was not declared":     {[]string{"secondary a other"}, wire.StatusFailed, "want each identifier that the buildspec has"},
		"one file for two identifiers":            {[]string{"secondary a docs", "secondary b src-2", "onefile"}, wire.StatusFailed, "a file for each"},
		"a link in place of a secondary artifact": {[]string{"link artifacts-0.tar", "secondary - docs"}, wire.StatusFailed, `"docs" could not be taken in: the job changed what it left: `},
		"a failed job's secondary artifacts":      {[]string{"end FAILED", "secondary a ../x"}, wire.StatusFailed, "want each identifier that the buildspec has"},
		"reports that are missing":                {[]string{"reports -"}, wire.StatusSucceeded, "The reports could not be taken in, and are missing"},
		"a link in place of reports":              {[]string{"link reports.tar", "reports -"}, wire.StatusSucceeded, "The reports could not be taken in, and are missing"},
		"reports that are too large":              {[]string{"reports " + strings.Repeat("x", 200)}, wire.StatusSucceeded, "limit"},
		"a cache that is too large":               {[]string{"cache k " + strings.Repeat("x", 200)}, wire.StatusSucceeded, "raise limits.cache"},
		"a cache with a key that nobody can have": {[]string{"cache " + strings.Repeat("k", 600) + " x"}, wire.StatusSucceeded, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t)
			a := st.attempt(test.lines...)
			a.Cache.Write = "api"
			a.Job.Limits.CacheBytes, a.Job.Limits.ReportBytes = 100, 100
			res, log := st.play(a, forgetful{})
			st.want(res, log, test.status, test.log)
			if res.Reports != nil {
				t.Errorf("it has reports: %+v", res)
			}
		})
	}
	t.Run("a build that may leave no cache", func(t *testing.T) {
		st := newStage(t)
		res, log := st.play(st.attempt("cache k x"), forgetful{})
		st.want(res, log, wire.StatusSucceeded, "this build may not leave one")
	})
}

// counting is a caller that counts how often the job was about to be sent.
type counting struct {
	forgetful
	sent atomic.Int64
}

func (*counting) Cold(context.Context) error { return nil }

func (c *counting) Sent(context.Context) error {
	c.sent.Add(1)
	return nil
}

// TestAJobThatPlaysANewAgentIsNotServedAgain: each welcome of an agent without a job costs the daemon a commit, and all
// of the job's text.
func TestAJobThatPlaysANewAgentIsNotServedAgain(t *testing.T) {
	st := newStage(t)
	told := &counting{}
	res, log := st.play(st.attempt("say before", "welcomes", "say after"), told)
	st.want(res, log, wire.StatusSucceeded, "before", "after")
	if n := told.sent.Load(); n != 1 {
		t.Errorf("the job was sent %d times", n)
	}
}

func TestOnlyAFailedJobIsTriedAgain(t *testing.T) {
	st := newStage(t)
	for line, want := range map[string]bool{"end FAILED retry": true, "end FAILED": false, "end SUCCEEDED retry": false, "end STOPPED retry": false} {
		if res, _ := st.play(st.attempt(line), forgetful{}); res.Retry != want {
			t.Errorf("%s: %+v, want retry %v", line, res, want)
		}
	}
	if res, _ := st.play(st.attempt("end SUCCEEDED retry", "secondary a ../x"), forgetful{}); res.Retry || res.Status != wire.StatusFailed {
		t.Errorf("a job whose artifacts failed it: %+v", res)
	}
}

// curious is an engine that keeps what it is asked to make.
type curious struct {
	runner.Executor
	spec runner.SandboxSpec
}

func (e *curious) Create(_ context.Context, spec runner.SandboxSpec) error {
	e.spec = spec
	return errors.New("not today")
}

func TestTheExecutorLearnsOfServicesAndPrivileges(t *testing.T) {
	st := newStage(t)
	ex := &curious{Executor: st.ex}
	st.Executors = map[string]runner.Executor{engine: ex}
	a := st.attempt("say never")
	a.Privileged, a.Services = true, []runner.Service{{Name: "db", Health: &runner.Health{Command: "true"}}}
	st.play(a, forgetful{})
	if !ex.spec.Privileged || !reflect.DeepEqual(ex.spec.Services, a.Services) {
		t.Errorf("it was asked to make %+v", ex.spec)
	}
}

// poor is an engine on which a service does not start.
type poor struct{ runner.Executor }

func (poor) Create(context.Context, runner.SandboxSpec) error {
	return fmt.Errorf("making the sandbox: %w", &runner.ServiceError{Service: "db", Reason: "did not become ready", Log: "FATAL: no room\n"})
}

func TestAServiceThatDoesNotStartIsTheBuildspecsBusiness(t *testing.T) {
	st := newStage(t)
	st.Executors = map[string]runner.Executor{engine: poor{st.ex}}
	res, log := st.play(st.attempt("say never"), forgetful{})
	st.want(res, log, wire.StatusFailed, `service "db" did not become ready`, "FATAL: no room")
	if res.Reason != "service" || res.Transient || res.Phase != runner.PhaseProvisioning {
		t.Errorf("it ended as %+v", res)
	}
}
