package scheduler

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

func TestAPlanThatPushesImagesIsNeverProof(t *testing.T) {
	if !neverProof(&buildspec.Job{}, []byte(`{"id":"a","images":[{"repository":"api"}]}`)) {
		t.Error("a job that pushes images could be proof")
	}
	if neverProof(&buildspec.Job{}, []byte(`{"id":"a"}`)) {
		t.Error("no job could be proof")
	}
}

func TestAPushHasWhatTheSubmitLeftWhateverBecomesOfThat(t *testing.T) {
	t.Parallel()
	c := newProofScene(t)
	if !c.story() {
		t.Fatal("the push did not take the result")
	}
	j := c.jobs(c.lastPush.ID())[0]
	if j.TakenFrom != "api#1" || j.Proof == nil || j.Proof.By != "ada" || j.Proof.Kind != KindSubmit || j.Key != "" {
		t.Errorf("the job says %+v, by %+v", j, j.Proof)
	}
	drop := func(ctx context.Context, b *Build, blobs []string) error {
		return errors.Join(c.store.Remove(ctx, blobs), c.store.RemoveBelow(ctx, b.SharedBelow()))
	}
	forget := func(keep int64) {
		t.Helper()
		for due := range 10 { // of reports that nobody has read nothing is forgotten
			d, err := c.s.NextReports()
			if err != nil || d == nil && due == 0 {
				t.Fatalf("no reports are due (%v)", err)
			}
			if d == nil {
				break
			}
			if err := c.s.ReportsRead(d); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.s.Forget(t.Context(), Keep{Number: keep}, time.Now(), drop); err != nil {
			t.Fatal(err)
		}
		c.check()
	}
	forget(1)
	if _, err := c.s.Build("api#1"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("the submit is still there: %v", err)
	}
	log := c.store.ReadLog(t.Context(), j.Attempts[0].Log, 0, false)
	text, err := io.ReadAll(log)
	if log.Close(); string(text) != "ok test\n" || err != nil {
		t.Errorf("its log is %q (%v)", text, err)
	}
	left := []string{j.Attempts[0].Set, j.Attempts[0].Secondary["symbols"], j.Attempts[0].Reports.Set}
	for _, id := range left {
		if set, err := c.store.Set(id); err != nil || len(set.Files) != 1 || !strings.HasPrefix(id, "api/2/@shared/") {
			t.Errorf("of its artifacts %s is %+v (%v)", id, set, err)
		}
	}
	if next := c.build(c.push, true); c.jobs(next.ID())[0].TakenFrom != "" {
		t.Error("a result that was taken is proof by itself, after its origin has gone")
	}
	c.run()
	forget(1)
	for _, id := range left {
		if _, err := c.store.Set(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left behind: %v", id, err)
		}
	}
	if err := c.store.Check(t.Context(), func(p string) { t.Error(p) }); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyWhatStandsOnNothingThatIsDoneAnewIsTaken(t *testing.T) {
	t.Parallel()
	job := func(id string, on ...string) buildspec.Job {
		return buildspec.Job{ID: id, Name: id, Image: "golang", DependsOn: on}
	}
	root := job("image")
	root.Privileged = true
	shards := fanout(2, false).Jobs
	for i := range shards {
		shards[i].Image = "golang"
	}
	for _, tt := range []struct {
		name string
		plan []buildspec.Job
		fail string // a job of the submit
		want string
	}{
		{"a chain", []buildspec.Job{job("a"), job("b", "a"), job("c", "b")}, "", "a b c"},
		{"what depends on a job that runs", []buildspec.Job{job("lint"), root, job("e2e", "image"), job("report", "e2e")}, "", "lint"},
		{"what failed, after what it depends on", []buildspec.Job{job("a"), job("b", "a")}, "b", "a"},
		{"beside one that failed", []buildspec.Job{job("a"), job("b")}, "b", "a"},
		{"all shards", shards, "", "BuildFanoutShard1 BuildFanoutShard2"},
		{"shards of which one failed", shards, "BuildFanoutShard2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newProofScene(t)
			c.plan = buildspec.Plan{Batch: "graph", Jobs: tt.plan}
			c.during = func(_ *entry, l leased) {
				if c.result = green; l.job.ID == tt.fail {
					c.result = red
				}
			}
			c.story()
			var taken []string
			for i, j := range c.jobs(c.lastPush.ID()) {
				if j.TakenFrom != "" {
					taken = append(taken, j.ID)
				} else if open := tt.plan[i].DependsOn; j.State != JobQueued && (len(open) == 0 || slices.Contains(taken, open[0])) {
					t.Errorf("%s is %s and was not taken", j.ID, j.State)
				}
			}
			if got := strings.Join(taken, " "); got != tt.want {
				t.Errorf("taken are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestARetryOfAPushThatTookResultsRuns(t *testing.T) {
	t.Parallel()
	c := newProofScene(t)
	if !c.story() {
		t.Fatal("the push did not take the result")
	}
	again := c.build(Trigger{Kind: KindRetry, RetryOf: c.lastPush.ID(), Projects: []string{"api"}}, true)
	if j := c.jobs(again.ID())[0]; j.State != JobQueued || j.TakenFrom != "" {
		t.Errorf("its job is %s, taken from %q", j.State, j.TakenFrom)
	}
}

func TestSharedAgainAfterADeathBetweenShareAndCommit(t *testing.T) {
	t.Parallel()
	c := newProofScene(t)
	c.build(c.submit, false)
	c.run()
	stored := accept(t, c.s, c.push)
	builds, err := c.s.planTrigger(&stored)
	if err != nil {
		t.Fatal(err)
	}
	plan := func(commit bool) {
		b := builds[0]
		b.Plan, b.Tree, b.Trusted = &c.plan, c.tree, true
		b.Images = map[string]runner.Image{"golang": {Ref: "golang", ID: c.image}}
		p, _ := c.s.Project("api")
		jobs := newJobs(&b)
		c.s.proveJobs(t.Context(), &p, &stored, &b, jobs)
		if commit {
			if err := c.s.queueBuild(t.Context(), b, jobs); err != nil {
				t.Fatal(err)
			}
		}
	}
	plan(false) // and died
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	settings := c.s.config()
	c.open()
	if err := c.s.Configure(settings); err != nil {
		t.Fatal(err)
	}
	plan(true)
	c.check()
	if b := mustBuild(t, c.s, builds[0].ID()); b.Status != Succeeded {
		t.Errorf("the push is %s", b.Status)
	}
	if st, err := c.store.Stats(); err != nil || st.Logs != 2 || st.Sets != 6 {
		t.Errorf("the store has %+v (%v), want two logs and six sets", st, err)
	}
}

// asks has the job name a variable.
func asks(variable string) func(*proofScene) {
	return func(c *proofScene) {
		c.plan.Jobs[0].Phases[0].Commands[0].Text = "echo $" + variable
	}
}

func TestASubmitKnowsWhichPushesWillBeGreen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		change  func(c *proofScene)
		will    bool
		trusted bool
	}{
		{"who is named", func(*proofScene) {}, true, true},
		{"who is not", func(c *proofScene) { c.submit.Actor = "eve" }, true, false},
		{"with another network", func(c *proofScene) {
			c.configure(func(cfg *config.Config) { cfg.NetworkUntrusted = config.NetworkNone })
		}, true, false},
		{"with an override", func(c *proofScene) { c.submit.Override.Image = "golang" }, false, false},
		{"red", func(c *proofScene) { c.result = red }, false, false},
		{"whose job asks for its event", asks("CODEBUILD_WEBHOOK_EVENT"), false, false},
		{"whose job asks for its commit", asks("CODEBUILD_RESOLVED_SOURCE_VERSION"), false, false},
		{"whose job asks for its number", asks("CODEBUILD_BUILD_NUMBER"), false, false},
		{"whose job asks for what every build has", asks("CODEBUILD_SOURCE_REPO_URL"), true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newProofScene(t)
			tt.change(c)
			b := c.build(c.submit, false)
			c.run()
			b = mustBuild(t, c.s, b.ID())
			got := c.s.PushProof(t.Context(), &b, c.jobs(b.ID()))
			if (got != nil) != tt.will || got != nil && got.Trusted != tt.trusted {
				t.Errorf("it says %+v", got)
			}
		})
	}
}

func TestWhoRetriesAnothersSubmitVouchesForNothing(t *testing.T) {
	t.Parallel()
	c := newProofScene(t)
	c.submit.Actor = "eve"
	c.build(c.submit, false)
	c.run()
	retry := Trigger{Kind: KindRetry, RetryOf: "api#1", Projects: []string{"api"}, Actor: "ada"}
	again := c.build(retry, false)
	c.run()
	if tr, err := c.s.Trigger(again.Trigger); err != nil || tr.Submitter != "eve" {
		t.Errorf("its tree is said to be of %q (%v), want eve", tr.Submitter, err)
	}
	if j := c.pushed(true); j.TakenFrom != "" {
		t.Errorf("a trusted push took the result of %s", j.TakenFrom)
	}
	c.run()
	c.trusted = false
	if j := c.pushed(false); j.TakenFrom == "" {
		t.Error("an untrusted push took none")
	}
	c.check()
}

func TestWhatFailedBeforeIsNoProofWhenOnlyThatIsRetried(t *testing.T) {
	t.Parallel()
	c := newProofScene(t)
	c.result = red
	c.build(c.submit, false)
	c.run()
	c.result = green
	c.build(Trigger{Kind: KindRetry, RetryOf: "api#1", FailedOnly: true, Projects: []string{"api"}, Actor: "ada"}, false)
	c.run()
	if j := c.pushed(false); j.TakenFrom != "" {
		t.Errorf("a push took the result of %s", j.TakenFrom)
	}
	c.check()
}
