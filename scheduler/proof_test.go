package scheduler

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"path/filepath"
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
	res := c.result
	res.Set, res.Secondary = l.attempt.Log, map[string]string{"symbols": l.attempt.Log + "/symbols"}
	res.Reports = &runner.Reports{Set: l.attempt.Log + "/reports"}
	for _, id := range []string{res.Set, res.Secondary["symbols"], res.Reports.Set} {
		if _, err := c.store.PutTar(c.t.Context(), id, artifacts.SetMeta{}, bytes.NewReader(packed.Bytes()), artifacts.Limits{}); err != nil {
			c.t.Fatal(err)
		}
	}
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

// job is the first job of the plan.
func (c *proofScene) job() *buildspec.Job { return &c.plan.Jobs[0] }
