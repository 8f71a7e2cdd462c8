package scheduler

import (
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/tests/quarantine"
)

// proofCase is a story of a first build and a push of the same tree, and whether the push takes the result.
type proofCase struct {
	name   string
	took   bool
	change func(c *proofScene)
}

func TestWhatIsProof(t *testing.T) {
	t.Parallel()
	for _, cases := range [][]proofCase{proofByWhom, proofAsAsked, proofOfTheSame, proofOfTheJob} {
		for _, tt := range cases {
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
}

// proofByWhom is by whom and for what a result counts.
var proofByWhom = []proofCase{
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
}

// proofAsAsked is of builds that were asked for otherwise, or that ask otherwise.
var proofAsAsked = []proofCase{
	{"an override of a variable", false, func(c *proofScene) { c.submit.Override.Env = map[string]string{"SKIP": "1"} }},
	{"an override of the image", false, func(c *proofScene) { c.submit.Override.Image = "golang" }},
	{"an override of the buildspec", false, func(c *proofScene) { c.submit.Override.Buildspec = "buildspec.yml" }},
	{"a submit that may hold at breakpoints", false, func(c *proofScene) { c.submit.Override.Debug = true }},
	{"a stranger's build", false, func(c *proofScene) {
		c.trusted, c.submit = false, Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Fork: true, PullRequest: 7, Approved: &Approval{Commit: "5ab"}, Commit: "5ab"}
		c.project(func(p *config.Project) { p.Approval = config.ApproveNone })
		c.untrustedFirst()
	}},
	{"a build that a pushed image started", false, func(c *proofScene) {
		c.trusted, c.submit = false, Trigger{Kind: KindRegistry, Projects: []string{"api"}, Ref: "refs/heads/other", Image: &PushedImage{Registry: "harbor", Name: "h.example.com/a", Tag: "v1"}}
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
}

// proofOfTheSame is of results that stand on something else.
var proofOfTheSame = []proofCase{
	{"another tree", false, func(c *proofScene) { c.between = func() { c.tree = "07her" } }},
	{"another plan", false, func(c *proofScene) {
		c.between = func() {
			other := *c.job()
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
	{"another branch is protected", false, func(c *proofScene) {
		c.between = func() { c.project(func(p *config.Project) { p.Protected = []string{"main"} }) }
	}},
	{"a setting of the project that reaches no job", true, func(c *proofScene) {
		c.between = func() { c.project(func(p *config.Project) { p.Priority, p.MaxJobs = 3, 2 }) }
	}},
	{"who hears of builds, and when they start by themselves", true, func(c *proofScene) {
		c.between = func() {
			c.project(func(p *config.Project) {
				p.Comment, p.Status.Per, p.ForgeToken = config.CommentAlways, config.StatusPerJob, "env:OTHER"
				p.Notifications = []config.Notification{{Name: "own", Slack: config.NotifySlack{URL: "env:SLACK"}}}
				p.Schedules = []config.Schedule{{Name: "nightly", Cron: "@daily"}}
			})
			c.configure(func(cfg *config.Config) {
				cfg.SMTP.Host, cfg.Notifications = "mail.example.com", []config.Notification{{Name: "team"}}
			})
		}
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
}

// proofOfTheJob is of jobs that are never proof, or turned out to be none.
var proofOfTheJob = []proofCase{
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
	{"somebody went into it", false, func(c *proofScene) {
		c.during = func(e *entry, l leased) {
			if err := c.s.noteEntered(ShellPlace{Build: e.build, Job: e.job, at: l}, "ben"); err != nil {
				c.t.Fatal(err)
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
	{"a job that is root on the machine", false, func(c *proofScene) { c.job().Privileged = true }},
	{"a job with the project's git credentials", false, func(c *proofScene) { c.job().GitCredentials = true }},
	{"a job that waits for a person", false, func(c *proofScene) { c.job().DebugSession = true }},
	{"a job that asks for which event it runs", false, func(c *proofScene) {
		c.job().Phases[0].Commands[0].Text = `if [ "$CODEBUILD_WEBHOOK_TRIGGER" = branch/main ]; then ./deploy; fi`
	}},
	{"a job that looks at all variables of the event", false, func(c *proofScene) {
		c.job().Phases[0].Commands[0].Text = `env | grep ^CODEBUILD_WEBHOOK_`
	}},
	{"a job that asks for the commit", false, func(c *proofScene) {
		c.job().Env = []buildspec.Var{{Name: "VERSION", Value: "$CODEBUILD_RESOLVED_SOURCE_VERSION"}}
	}},
	{"a job that asks for nothing that differs", true, func(c *proofScene) {
		c.job().Phases[0].Commands[0].Text = `test "$CODEBUILD_CI" && echo $CODEBUILD_BUILD_IMAGE`
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
