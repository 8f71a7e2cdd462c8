package scheduler

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/tests/quarantine"
)

// granting is a vault that tells versions, and gives every value.
type granting struct{ grant secrets.Grant }

func (v *granting) Check(context.Context, secrets.Subject, secrets.Ref) error { return nil }
func (v *granting) Value(context.Context, secrets.Subject, secrets.Ref) (string, error) {
	return "hunter2", nil
}
func (v *granting) Grant(context.Context, secrets.Subject, secrets.Ref) (secrets.Grant, error) {
	return v.grant, nil
}

// proofScene is a scheduler with a store of artifacts, where a tree is submitted first and pushed then.
type proofScene struct {
	t     *testing.T
	path  string
	s     *Scheduler
	vault *granting
	store *artifacts.Store

	plan     buildspec.Plan
	image    string
	tree     string
	trusted  bool // of the push
	held     quarantine.List
	submit   Trigger
	push     Trigger
	during   func(*entry, leased) // while the submit's job runs
	before   func()               // its attempt starts
	between  func()               // submit and push
	result   runner.Result
	lastPush Build
}

func newProofScene(t *testing.T) *proofScene {
	t.Helper()
	c := &proofScene{
		t: t, path: statePath(t), image: "sha256:1", tree: "7ree", trusted: true, vault: &granting{secrets.Grant{Version: "v1"}}, result: green,
		plan: buildspec.Plan{Jobs: []buildspec.Job{{
			ID: "test", Name: "test", Image: "golang", Buildspec: "buildspec.yml", Secrets: []buildspec.SecretRef{{Name: "TOKEN", Secret: "npm"}},
			Phases: []buildspec.Phase{{Name: "BUILD", Commands: []buildspec.Command{{Text: "go test ./..."}}}},
		}}},
		submit: Trigger{Kind: KindSubmit, Projects: []string{"api"}, Ref: "refs/runner/submit/1", Commit: "5ab", Actor: "ada"},
		push: Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee", Before: "beef",
			Event: "PUSH", Actor: "ben"},
	}
	store, err := artifacts.Open(filepath.Join(t.TempDir(), "artifacts.db"), artifacts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c.store = store
	c.open()
	c.project(func(p *config.Project) { p.GreenBeforePush, p.GreenFrom = config.GreenOn, []string{"ada"} })
	return c
}

func (c *proofScene) open() {
	c.s = open(c.t, c.path)
	c.s.runner = &runner.Runner{Artifacts: c.store}
	c.s.UseVault(c.vault)
}

// project changes the settings of the project.
func (c *proofScene) project(change func(*config.Project)) {
	c.t.Helper()
	c.configure(func(cfg *config.Config) { change(&cfg.Projects[0]) })
}

func (c *proofScene) configure(change func(*config.Config)) {
	c.t.Helper()
	cfg := *c.s.config()
	cfg.Projects = append([]config.Project{}, cfg.Projects...)
	change(&cfg)
	if err := c.s.Configure(&cfg); err != nil {
		c.t.Fatal(err)
	}
}

// build plans a build as the planner does, and commits it.
func (c *proofScene) build(tr Trigger, trust bool) Build {
	c.t.Helper()
	stored := accept(c.t, c.s, tr)
	builds, err := c.s.planTrigger(&stored)
	if err != nil || len(builds) != 1 {
		c.t.Fatalf("the trigger made %v (%v), want one build", builds, err)
	}
	b := builds[0]
	plan := c.plan
	b.Plan, b.Tree, b.Trusted, b.Quarantine = &plan, c.tree, trust, c.held
	b.Images = map[string]runner.Image{"golang": {Ref: "golang", ID: c.image}}
	p, err := c.s.Project("api")
	if err != nil {
		c.t.Fatal(err)
	}
	jobs := newJobs(&b)
	c.s.proveJobs(c.t.Context(), &p, &stored, &b, jobs)
	if err := c.s.queueBuild(c.t.Context(), b, jobs); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// run runs the next job to its result, with a log and a set of artifacts.
func (c *proofScene) run() {
	c.t.Helper()
	e, l := take(c.t, c.s)
	if c.before != nil {
		c.before()
	}
	if _, err := c.s.attempt(c.t.Context(), e, l); err != nil {
		c.t.Fatal(err)
	}
	if c.during != nil {
		c.during(e, l)
	}
	if err := c.store.EndLog(c.t.Context(), l.attempt.Log, 1, []byte("ok "+l.job.ID+"\n")); err != nil {
		c.t.Fatal(err)
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	_ = w.WriteHeader(&tar.Header{Name: "out", Typeflag: tar.TypeReg, Size: 3, Mode: 0o644})
	_, _ = w.Write([]byte("bin"))
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.store.PutTar(c.t.Context(), l.attempt.Log, artifacts.SetMeta{}, &packed, artifacts.Limits{}); err != nil {
		c.t.Fatal(err)
	}
	res := c.result
	res.Set = l.attempt.Log
	if err := c.s.finish(e, l.attempt.Token, res); err != nil {
		c.t.Fatal(err)
	}
	err := c.s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketSandboxes).Delete([]byte(l.attempt.Sandbox)) })
	if err != nil {
		c.t.Fatal(err)
	}
}

// story submits and runs, then pushes, and tells whether the push took the result.
func (c *proofScene) story() (took bool) {
	c.t.Helper()
	c.build(c.submit, c.submit.Kind != KindSubmit)
	for range c.plan.Jobs {
		c.run()
	}
	if c.between != nil {
		c.between()
	}
	c.lastPush = c.build(c.push, c.trusted)
	c.check()
	j := c.jobs(c.lastPush.ID())[0]
	return j.TakenFrom != ""
}

// pushed pushes, and returns the build's first job.
func (c *proofScene) pushed(trust bool) Job {
	c.t.Helper()
	b := c.build(c.push, trust)
	return c.jobs(b.ID())[0]
}

func (c *proofScene) jobs(build string) []Job {
	c.t.Helper()
	jobs, err := c.s.Jobs(build)
	if err != nil {
		c.t.Fatal(err)
	}
	return jobs
}

// check has the invariants of the state proved.
func (c *proofScene) check() {
	c.t.Helper()
	if err := (&State{c.s.db}).Check(func(p string) { c.t.Error(p) }); err != nil {
		c.t.Fatal(err)
	}
}

func TestWhatIsProof(t *testing.T) {
	t.Parallel()
	job := func(c *proofScene) *buildspec.Job { return &c.plan.Jobs[0] }
	tests := []struct {
		name   string
		took   bool
		change func(c *proofScene)
	}{
		{"a submit by who is named, for a push to the protected branch", true, func(c *proofScene) {}},
		{"a submit by somebody else", false, func(c *proofScene) { c.submit.Actor = "eve" }},
		{"a submit by somebody else, for a branch that is not protected", true, func(c *proofScene) { c.submit.Actor, c.trusted = "eve", false }},
		{"a push by who has the name of a submitter", false, func(c *proofScene) {
			c.submit = Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Commit: "5ab", PullRequest: 7, Actor: "ada", Event: "PULL_REQUEST_CREATED"}
			c.untrustedFirst()
		}},
		{"green-before-push: untrusted, for a trusted push", false, func(c *proofScene) {
			c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenUntrusted })
		}},
		{"green-before-push: untrusted, for one that is not", true, func(c *proofScene) {
			c.trusted = false
			c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenUntrusted })
		}},
		{"a trusted build for a trusted push, whoever made it", true, func(c *proofScene) {
			c.submit = Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: "refs/heads/other", Actor: "eve"}
			c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenUntrusted })
		}},
		{"green-before-push: off", false, func(c *proofScene) {
			c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenOff })
		}},
		{"switched on after the submit", false, func(c *proofScene) {
			c.project(func(p *config.Project) { p.GreenBeforePush = "" })
			c.between = func() { c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenOn }) }
		}},
		{"switched off after the submit", false, func(c *proofScene) {
			c.between = func() { c.project(func(p *config.Project) { p.GreenBeforePush = config.GreenOff }) }
		}},
		{"an override of a variable", false, func(c *proofScene) { c.submit.Override.Env = map[string]string{"SKIP": "1"} }},
		{"an override of the image", false, func(c *proofScene) { c.submit.Override.Image = "golang" }},
		{"an override of the buildspec", false, func(c *proofScene) { c.submit.Override.Buildspec = "buildspec.yml" }},
		{"a submit that may hold at breakpoints", false, func(c *proofScene) { c.submit.Override.Debug = true }},
		{"a stranger's build", false, func(c *proofScene) {
			c.trusted, c.submit = false, Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Fork: true, PullRequest: 7, Approved: &Approval{Commit: "5ab"}, Commit: "5ab"}
			c.project(func(p *config.Project) { p.Approval = config.ApproveNone })
			c.untrustedFirst()
		}},
		{"a stranger's pull request takes none", false, func(c *proofScene) {
			c.trusted, c.push = false, Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Fork: true, PullRequest: 7, Commit: "5ab"}
			c.project(func(p *config.Project) { p.Approval = config.ApproveNone })
		}},
		{"a pull request of the repository itself", true, func(c *proofScene) {
			c.trusted, c.push = false, Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", PullRequest: 7, Commit: "5ab", Event: "PULL_REQUEST_UPDATED"}
		}},
		{"a tag", false, func(c *proofScene) { c.push.Kind, c.push.Ref = KindTag, "refs/tags/v1" }},
		{"a tag that comes as a push", false, func(c *proofScene) { c.push.Ref = "refs/tags/v1" }},
		{"a tag with green-tags", true, func(c *proofScene) {
			c.push.Kind, c.push.Ref = KindTag, "refs/tags/v1"
			c.project(func(p *config.Project) { p.GreenTags = true })
		}},
		{"a build that a person starts", false, func(c *proofScene) { c.push.Kind = KindManual }},
		{"another submit", false, func(c *proofScene) { c.push, c.trusted = c.submit, false }},
		{"another tree", false, func(c *proofScene) { c.between = func() { c.tree = "07her" } }},
		{"another plan", false, func(c *proofScene) {
			c.between = func() {
				other := *job(c)
				other.Phases = []buildspec.Phase{{Name: "BUILD", Commands: []buildspec.Command{{Text: "go test -race ./..."}}}}
				c.plan = buildspec.Plan{Jobs: []buildspec.Job{other}}
			}
		}},
		{"another image of the same name", false, func(c *proofScene) { c.between = func() { c.image = "sha256:2" } }},
		{"a job without an image", false, func(c *proofScene) { c.image = "" }},
		{"another version of a secret", false, func(c *proofScene) { c.between = func() { c.vault.grant.Version = "v2" } }},
		{"a secret for trusted builds alone", false, func(c *proofScene) { c.vault.grant.TrustedOnly = true }},
		{"a secret that was taken from untrusted builds since", false, func(c *proofScene) { c.between = func() { c.vault.grant.TrustedOnly = true } }},
		{"a secret that the first build had for its trust", false, func(c *proofScene) {
			c.submit, c.vault.grant.ByTrust = Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: "refs/heads/other"}, true
		}},
		{"a secret that the push has for its trust", true, func(c *proofScene) { c.between = func() { c.vault.grant.ByTrust = true } }},
		{"a variable of the project", false, func(c *proofScene) {
			c.between = func() { c.project(func(p *config.Project) { p.Env = map[string]string{"A": "1"} }) }
		}},
		{"a setting of the project", false, func(c *proofScene) {
			c.between = func() { c.project(func(p *config.Project) { p.Depth = 1 }) }
		}},
		{"a setting of the project that reaches no job", true, func(c *proofScene) {
			c.between = func() { c.project(func(p *config.Project) { p.Priority, p.MaxJobs = 3, 2 }) }
		}},
		{"a limit of the project", false, func(c *proofScene) {
			c.between = func() { c.project(func(p *config.Project) { p.Limits.MemoryBytes = 1 << 30 }) }
		}},
		{"a limit of the daemon", false, func(c *proofScene) {
			c.between = func() { c.configure(func(cfg *config.Config) { cfg.Limits.PIDs = 77 }) }
		}},
		{"how long a job may wait", true, func(c *proofScene) {
			c.between = func() { c.configure(func(cfg *config.Config) { cfg.Limits.QueueTimeout = time.Minute }) }
		}},
		{"less network for untrusted builds", false, func(c *proofScene) {
			c.configure(func(cfg *config.Config) { cfg.NetworkUntrusted = config.NetworkNone })
		}},
		{"proxies, engines, authorities, agent", false, func(c *proofScene) { c.between = func() { c.s.runner.Make = "another" } }},
		{"what is in quarantine", false, func(c *proofScene) {
			c.between = func() {
				c.held = quarantine.List{{Test: "a::b", Owner: "ann", Until: time.Now().AddDate(0, 0, 9).Format(time.DateOnly)}}
			}
		}},
		{"green by a quarantine", false, func(c *proofScene) {
			c.during = func(_ *entry, l leased) {
				if err := c.s.testsOf(l).excused("m/bad failed only in quarantined tests"); err != nil {
					c.t.Fatal(err)
				}
			}
		}},
		{"a breakpoint held it", false, func(c *proofScene) {
			c.during = func(e *entry, l leased) {
				ev := &attemptEvents{s: c.s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token}
				for n, held := range []bool{true, false} {
					if err := ev.Progress(c.t.Context(), runner.Progress{Frame: uint64(n + 1), Paused: &held, Pause: 1}); err != nil {
						c.t.Fatal(err)
					}
				}
			}
		}},
		{"a secret set between plan and start, and set back", false, func(c *proofScene) {
			c.before = func() { c.vault.grant.Version = "v2" }
			c.during = func(*entry, leased) { c.vault.grant.Version = "v1" }
		}},
		{"a limit changed while it ran", false, func(c *proofScene) {
			c.during = func(*entry, leased) { c.configure(func(cfg *config.Config) { cfg.Limits.PIDs = 77 }) }
			c.between = func() { c.configure(func(cfg *config.Config) { cfg.Limits.PIDs = config.Default().Limits.PIDs }) }
		}},
		{"a failed job", false, func(c *proofScene) { c.result = red }},
		{"a job that is root on the machine", false, func(c *proofScene) { job(c).Privileged = true }},
		{"a job with the project's git credentials", false, func(c *proofScene) { job(c).GitCredentials = true }},
		{"a job that waits for a person", false, func(c *proofScene) { job(c).DebugSession = true }},
		{"a job that asks for which event it runs", false, func(c *proofScene) {
			job(c).Phases[0].Commands[0].Text = `if [ "$CODEBUILD_WEBHOOK_TRIGGER" = branch/main ]; then ./deploy; fi`
		}},
		{"a job that looks at all variables of the event", false, func(c *proofScene) {
			job(c).Phases[0].Commands[0].Text = `env | grep ^CODEBUILD_WEBHOOK_`
		}},
		{"a job that asks for the commit", false, func(c *proofScene) {
			job(c).Env = []buildspec.Var{{Name: "VERSION", Value: "$CODEBUILD_RESOLVED_SOURCE_VERSION"}}
		}},
		{"a job that asks for nothing that differs", true, func(c *proofScene) {
			job(c).Phases[0].Commands[0].Text = `test "$CODEBUILD_CI" && echo $CODEBUILD_BUILD_IMAGE`
		}},
		{"older than seven days", false, func(c *proofScene) { c.between = func() { c.age(8 * 24 * time.Hour) } }},
		{"younger than the project's bound", true, func(c *proofScene) {
			c.project(func(p *config.Project) { p.GreenAge = 20 * 24 * time.Hour })
			c.between = func() { c.age(8 * 24 * time.Hour) }
		}},
		{"from the future", false, func(c *proofScene) { c.between = func() { c.age(-time.Hour) } }},
		{"a log that is no longer kept", false, func(c *proofScene) {
			c.between = func() { c.remove(c.store.RemoveLog) }
		}},
		{"artifacts that are no longer kept", false, func(c *proofScene) {
			c.between = func() { c.remove(c.store.RemoveSet) }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newProofScene(t)
			tt.change(c)
			if took := c.story(); took != tt.took {
				t.Errorf("the push took it: %t, want %t", took, tt.took)
			}
			want := InProgress
			if tt.took {
				want = Succeeded
			}
			if b := mustBuild(t, c.s, c.lastPush.ID()); b.Status != want {
				t.Errorf("the push is %s, want %s", b.Status, want)
			}
		})
	}
}

// untrustedFirst makes the first build one that nobody trusts, whatever its kind.
func (c *proofScene) untrustedFirst() {
	tr := c.submit
	b := c.build(tr, false)
	c.run()
	c.submit = Trigger{Kind: KindSubmit, Projects: []string{"api"}, Ref: "refs/runner/submit/2", Actor: "eve", Override: Override{Debug: true}} // no proof
	if b.Status.Ended() {
		c.t.Fatal("the build ended before it ran")
	}
}

// age makes all proofs older, as if that time had gone by.
func (c *proofScene) age(by time.Duration) {
	c.t.Helper()
	err := c.s.db.Update(func(tx *bbolt.Tx) error {
		var rows []proofRow
		var keys [][]byte
		err := tx.Bucket(bucketProofs).ForEach(func(k, _ []byte) error {
			row, err := get[proofRow](tx, bucketProofs, k)
			if err == nil {
				rows, keys = append(rows, *row), append(keys, bytes.Clone(k))
			}
			return err
		})
		for i := range rows {
			rows[i].At = rows[i].At.Add(-by)
			err = errors.Join(err, put(tx, bucketProofs, keys[i], rows[i]))
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *proofScene) remove(what func(context.Context, string) error) {
	c.t.Helper()
	if err := what(c.t.Context(), "api/1/test/1"); err != nil {
		c.t.Fatal(err)
	}
}

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
	if set, err := c.store.Set(j.Attempts[0].Set); err != nil || len(set.Files) != 1 {
		t.Errorf("its artifacts are %+v (%v)", set, err)
	}
	if next := c.build(c.push, true); c.jobs(next.ID())[0].TakenFrom != "" {
		t.Error("a result that was taken is proof by itself, after its origin has gone")
	}
	c.run()
	forget(1)
	if _, err := c.store.Set(j.Attempts[0].Set); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the push shared is left behind: %v", err)
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
	if st, err := c.store.Stats(); err != nil || st.Logs != 2 || st.Sets != 2 {
		t.Errorf("the store has %+v (%v), want two logs and two sets", st, err)
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
