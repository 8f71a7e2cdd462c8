package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// noticed is what waits to be told of ends, oldest first: "team failure api#2 after api#1".
func noticed(t *testing.T, s *Scheduler) (out []string) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("outbox")).Bucket([]byte("items")).ForEach(func(_, raw []byte) error {
			var it outbox.Item
			var n Notice
			if err := json.Unmarshal(raw, &it); err != nil || it.Kind != KindNotice {
				return err
			}
			if err := json.Unmarshal(it.Body, &n); err != nil {
				return err
			}
			text := fmt.Sprintf("%s %s %s", n.Name, n.Event, it.Build)
			if n.WasBuild != "" {
				text += " after " + n.WasBuild + " " + string(n.Was)
			}
			out = append(out, text)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// notifying has a list of notifications for all projects, and one of its own.
func notifying(t *testing.T, path string) *Scheduler {
	t.Helper()
	cfg := config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main",
		Notifications: []config.Notification{{Name: "own", On: []string{config.NotifyAlways}, Triggers: []string{"push", "submit"}}}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	cfg.Notifications = []config.Notification{{Name: "team"}, {Name: "others", For: []string{"lib"}}, {Name: "releases", Refs: []string{"release/*"}}}
	return openWith(t, path, cfg)
}

func TestNoticesFollowTheEndsOfARef(t *testing.T) {
	path := statePath(t)
	s := notifying(t, path)
	red := runner.Result{Status: wire.StatusFailed, Reason: "command_failed", Message: "it failed"}
	for _, res := range []runner.Result{red, green, red, {}, green, green} {
		b := queued(t, s, fanout(1, false))
		if res.Status == "" { // somebody stops it, which proves nothing
			if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		e, l := take(t, s)
		if err := s.finish(e, l.attempt.Token, res); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"team failure api#1", "own failure api#1",
		"team recovery api#2 after api#1 FAILED", "own recovery api#2 after api#1 FAILED",
		"team failure api#3 after api#2 SUCCEEDED", "own failure api#3 after api#2 SUCCEEDED",
		"own stopped api#4 after api#3 FAILED",
		"team recovery api#5 after api#3 FAILED", "own recovery api#5 after api#3 FAILED",
		"own success api#6 after api#5 SUCCEEDED",
	}
	if got := noticed(t, s); !slices.Equal(got, want) {
		t.Errorf("told is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := s.Close(); err != nil { // as after kill -9: they are committed with the ends
		t.Fatal(err)
	}
	s = notifying(t, path)
	if got := noticed(t, s); !slices.Equal(got, want) {
		t.Errorf("after a restart told is %v", got)
	}
	for _, c := range []struct {
		note Notice
		want string
	}{{Notice{Name: "team"}, "team"}, {Notice{Name: "own", Own: true}, "own"}, {Notice{Name: "own"}, ""}, {Notice{Name: "team", Own: true}, ""}} {
		n, err := s.Notification("api", c.note)
		if n.Name != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v is set as %+v, %v", c.note, n, err)
		}
	}
}

// TestABuildThatNeverHadJobsIsToldOf ends one before its plan.
func TestABuildThatNeverHadJobsIsToldOf(t *testing.T) {
	s := notifying(t, statePath(t))
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	builds, err := s.planTrigger(&tr)
	if err != nil {
		t.Fatal(err)
	}
	f := &planFailure{status: Failed, reason: "buildspec", message: "line 3"}
	for range 2 { // the second time it has ended
		if err := s.failBuild(builds[0], f); err != nil {
			t.Fatal(err)
		}
	}
	if got := noticed(t, s); !slices.Equal(got, []string{"team failure api#1", "own failure api#1"}) {
		t.Errorf("told is %v", got)
	}
}

func TestARetryIsToldOfAsWhatItRetries(t *testing.T) {
	for ref, want := range map[string]string{
		"refs/heads/main": "retry", "refs/tags/v1": "retry", "refs/runner/submit/2026-01-02/x": "submit", "refs/merge-requests/7/head": "pull_request",
	} {
		if got := saidKind(&Trigger{Kind: KindRetry}, &Build{Ref: ref}); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
	if got := saidKind(&Trigger{Kind: KindPush}, &Build{Ref: "refs/heads/main"}); got != "push" {
		t.Errorf("a push is said to be %s", got)
	}
}

// TestARecoveryIsToldToWhomTheFailureWas: what ended well in between, and was not told of, takes no recovery from those who wait
// for it.
func TestARecoveryIsToldToWhomTheFailureWas(t *testing.T) {
	s := notifying(t, statePath(t)) // "own" is of pushes and submits alone
	red := runner.Result{Status: wire.StatusFailed, Reason: "command_failed", Message: "it failed"}
	for _, c := range []struct {
		kind TriggerKind
		res  runner.Result
	}{{KindPush, red}, {KindSchedule, green}, {KindPush, green}} {
		b := queued(t, s, fanout(1, false))
		err := s.db.Update(func(tx *bbolt.Tx) error {
			tr, err := triggerOf(tx, &b)
			if err != nil {
				return err
			}
			tr.Kind = c.kind
			return putTrigger(tx, tr)
		})
		if err != nil {
			t.Fatal(err)
		}
		e, l := take(t, s)
		if err := s.finish(e, l.attempt.Token, c.res); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"team failure api#1", "own failure api#1", "team recovery api#2 after api#1 FAILED", "own recovery api#3 after api#1 FAILED"}
	if got := noticed(t, s); !slices.Equal(got, want) {
		t.Errorf("told is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
