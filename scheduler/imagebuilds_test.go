package scheduler

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/secrets"
)

// imageBuild is a build of secretJob with an image, whose project may push it.
func imageBuild(t *testing.T, trust bool) (*Scheduler, *safe, *Project, *Build, *Trigger) {
	t.Helper()
	s, v, p, b, tr := secretBuild(t, trust, func(p *config.Project) {
		p.Push = map[string]string{"registry.example.com": "ci/registry", "free.example.com": ""}
		p.URL = "https://bot:token@example.com/api.git"
	})
	v.values[secrets.Ref{Name: "ci/registry"}] = `{"username": "ci", "password": "open sesame"}`
	b.Commit, b.Committed = strings.Repeat("c0ffee00", 5), time.Unix(1_700_000_000, 0)
	b.Images = map[string]runner.Image{config.DefaultBuilder: {Ref: config.DefaultBuilder, ID: "sha256:1"}}
	b.Plan.Jobs[0].Images = []buildspec.Image{{
		Name: "web-ui", Dockerfile: "Dockerfile", Context: "web", Push: "registry.example.com/team/web", Tags: []string{"{branch}", "{semver}", "{build}"},
		Secrets: []string{"TOKEN"}, Labels: []buildspec.Var{{Name: "team", Value: "blue"}},
	}}
	return s, v, p, b, tr
}

func TestWhatIsLentForAnImage(t *testing.T) {
	env := []wire.Var{{Name: "TOKEN", Value: "first"}, {Name: "TOKEN", Value: "npm-123"}, {Name: "DB", Value: "x"}}
	for name, tt := range map[string]struct {
		trust  bool
		change func(p *Project, b *Build)
		want   func(t *testing.T, im *runner.Images, opened int)
	}{
		"trusted": {true, nil, func(t *testing.T, im *runner.Images, opened int) {
			b := im.Builds[0]
			if b.Withheld != "" || !reflect.DeepEqual(b.Auth, &runner.RegistryAuth{Server: "registry.example.com", Username: "ci", Password: "open sesame"}) || opened != 1 {
				t.Errorf("it is lent %+v and told %q, %d values were opened", b.Auth, b.Withheld, opened)
			}
			if im.State != "api/protected" || im.StateBytes != config.DefaultBuilderState || !slices.Equal(b.Tags, []string{"main", "1"}) || len(b.Notes) != 1 {
				t.Errorf("state %q, tags %q, notes %q", im.State, b.Tags, b.Notes)
			}
			if !slices.Contains(b.Labels, wire.Var{Name: "org.opencontainers.image.source", Value: "https://example.com/api.git"}) || b.Labels[len(b.Labels)-1].Name != "team" {
				t.Errorf("labels %v: want no token in them, and the buildspec's last", b.Labels)
			}
			if !slices.Equal(b.Secrets, []wire.Var{{Name: "TOKEN", Value: "npm-123"}}) {
				t.Errorf("its secrets are %v", b.Secrets)
			}
		}},
		"untrusted": {false, nil, func(t *testing.T, im *runner.Images, opened int) {
			if b := im.Builds[0]; b.Withheld == "" || b.Auth != nil || opened != 0 || im.State != "api/ref/refs/heads/main" {
				t.Errorf("an untrusted build is lent %+v, told %q, with the state %q", b.Auth, b.Withheld, im.State)
			}
		}},
		"a stranger's": {true, func(_ *Project, b *Build) { b.Fork = true }, func(t *testing.T, im *runner.Images, opened int) {
			if b := im.Builds[0]; b.Withheld == "" || b.Auth != nil || opened != 0 || im.State == "api/protected" {
				t.Errorf("a stranger's build is lent %+v, told %q, with the state %q", b.Auth, b.Withheld, im.State)
			}
		}},
		"a version": {true, func(_ *Project, b *Build) { b.Ref = "refs/tags/v1.2.3" }, func(t *testing.T, im *runner.Images, _ int) {
			if b := im.Builds[0]; !slices.Equal(b.Tags, []string{"1.2.3", "1"}) || !slices.Contains(b.Labels, wire.Var{Name: "org.opencontainers.image.version", Value: "1.2.3"}) {
				t.Errorf("tags %q, labels %v", b.Tags, b.Labels)
			}
		}},
		"without a login": {true, func(p *Project, b *Build) { b.Plan.Jobs[0].Images[0].Push = "free.example.com/web" }, func(t *testing.T, im *runner.Images, opened int) {
			if b := im.Builds[0]; b.Withheld != "" || b.Auth != nil || opened != 0 {
				t.Errorf("it is lent %+v", b.Auth)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, v, p, b, tr := imageBuild(t, tt.trust)
			if tt.change != nil {
				tt.change(p, b)
			}
			im, err := s.imagesFor(t.Context(), p, tr, b, &b.Plan.Jobs[0], env)
			if err != nil {
				t.Fatal(err)
			}
			tt.want(t, im, v.opened)
		})
	}
}

func TestImagesThatCannotBeArePlannedAway(t *testing.T) {
	for name, tt := range map[string]struct {
		trust  bool
		change func(v *safe, p *Project, b *Build)
		want   string
	}{
		"all is well":         {true, nil, ""},
		"another registry":    {true, func(_ *safe, _ *Project, b *Build) { b.Plan.Jobs[0].Images[0].Push = "evil.example.com/x" }, "may not push to evil.example.com"},
		"one of an untrusted": {false, func(_ *safe, _ *Project, b *Build) { b.Plan.Jobs[0].Images[0].Push = "evil.example.com/x" }, ""},
		"no such login":       {true, func(v *safe, _ *Project, _ *Build) { delete(v.values, secrets.Ref{Name: "ci/registry"}) }, "the credentials of registry.example.com"},
		"no secret":           {true, func(_ *safe, _ *Project, b *Build) { b.Plan.Jobs[0].Images[0].Secrets = []string{"STAGE"} }, "its secret STAGE is no variable of parameter-store or secrets-manager"},
		"no tag": {true, func(_ *safe, _ *Project, b *Build) {
			b.Plan.Jobs[0].Images[0].Tags = []string{"{commit}{commit}{commit}{commit}"}
		}, "at most 128"},
	} {
		t.Run(name, func(t *testing.T) {
			s, v, p, b, tr := imageBuild(t, tt.trust)
			if tt.change != nil {
				tt.change(v, p, b)
			}
			f := s.checkImages(t.Context(), p, tr, b, newJobs(b))
			switch {
			case tt.want == "" && f != nil:
				t.Errorf("it is refused: %s", f.message)
			case tt.want != "" && (f == nil || f.status != Failed || f.reason != reasonImages || !strings.Contains(f.message, tt.want) || !strings.HasPrefix(f.message, "buildspec.yml: image web-ui: ")):
				t.Errorf("it is %+v, want %q", f, tt.want)
			}
		})
	}
	for text, good := range map[string]bool{`{"username":"a","password":"b"}`: true, `{"username":"a"}`: false, `a:b`: false, ``: false} {
		if login, err := readLogin(text); (err == nil) != good || err != nil && strings.Contains(err.Error(), "a:b") {
			t.Errorf("%q is %+v, %v", text, login, err)
		}
	}
}

// TestUntrustedImagesAreLeftOutWhereTheyMustNotBeBuilt: with images.untrusted off a build that is not trusted has no images
// and no builder, and says so; a trusted one has them.
func TestUntrustedImagesAreLeftOutWhereTheyMustNotBeBuilt(t *testing.T) {
	for name, tt := range map[string]struct {
		setting     string
		trust, fork bool
		out         bool
	}{
		"trusted": {config.UntrustedOff, true, false, false}, "untrusted": {config.UntrustedOff, false, false, true}, "a stranger's": {config.UntrustedOff, true, true, true},
		"untrusted, by default": {config.Default().Images.Untrusted, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _, b, _ := imageBuild(t, tt.trust)
			cfg := *s.config()
			cfg.Images.Untrusted = tt.setting
			s.cfg.Store(&cfg)
			b.Fork, b.Warnings = tt.fork, nil
			s.leaveImagesOut(b)
			pj := &b.Plan.Jobs[0]
			if left := len(pj.Images) == 0; left != tt.out || left != (len(contextOf(pj)) == 0) || left == slices.Contains(s.imagesOf(pj), config.DefaultBuilder) {
				t.Errorf("the job has the images %v and needs %v", pj.Images, s.imagesOf(pj))
			}
			if warned := strings.Contains(strings.Join(b.Warnings, "\n"), "images.untrusted is off, so its images are not built: web-ui"); warned != tt.out {
				t.Errorf("the build warns of %q", b.Warnings)
			}
		})
	}
}

// TestJobsKnowTheDigestsOfThoseBefore follows a graph: jobs that depend on one with an image, also by others, are told.
func TestJobsKnowTheDigestsOfThoseBefore(t *testing.T) {
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	b := queuedIn(t, s, buildspec.Plan{Jobs: []buildspec.Job{
		{ID: "make", Name: "make", Images: []buildspec.Image{{Name: "web-ui"}}}, {ID: "test", Name: "test", DependsOn: []string{"make"}},
		{ID: "deploy", Name: "deploy", DependsOn: []string{"test"}}, {ID: "other", Name: "other"},
	}}, map[string]runner.Image{config.DefaultBuilder: {ID: "sha256:1"}})
	e, l := take(t, s)
	res := green
	res.Images = []runner.BuiltImage{{Name: "web-ui", Digest: "sha256:abc", Layers: 1}}
	if err := s.finish(e, l.attempt.Token, res); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs(b.ID())
	if err != nil || !reflect.DeepEqual(jobs[0].Attempts[0].Images, res.Images) {
		t.Fatalf("recorded are %+v, %v", jobs[0].Attempts, err)
	}
	stored, err := s.Build(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Var{{Name: "RUNNER_IMAGE_WEB_UI_DIGEST", Value: "sha256:abc"}}
	for i, tells := range []bool{false, true, true, false} {
		got := s.builtBefore(&stored, &stored.Plan.Jobs[i])
		if tells && !slices.Equal(got, want) || !tells && len(got) != 0 {
			t.Errorf("job %s is told %v", stored.Plan.Jobs[i].ID, got)
		}
	}
}

// TestAnAdoptedJobsImagesAreNotLeftOut tells of a daemon that takes a job up and finds the store locked: the job goes on, and
// is told to have lacked its images.
func TestAnAdoptedJobsImagesAreNotLeftOut(t *testing.T) {
	cfg := config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main", Protected: []string{"main"}, Push: map[string]string{"r.example.com": "ci/registry"}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	s := openWith(t, statePath(t), cfg)
	s.runner = &runner.Runner{}
	v := &safe{values: map[secrets.Ref]string{{Name: "ci/registry"}: `{"username": "ci", "password": "open sesame"}`}}
	s.UseVault(v)
	queuedIn(t, s, buildspec.Plan{Jobs: []buildspec.Job{{ID: "build", Name: "build", Images: []buildspec.Image{{Name: "api", Push: "r.example.com/a", Tags: []string{"{build}"}}}}}},
		map[string]runner.Image{config.DefaultBuilder: {ID: "sha256:1"}})
	e, l := take(t, s)
	l.build.Trusted = true
	a, err := s.attempt(t.Context(), e, l)
	if err != nil || a.Images == nil || a.Images.Lacks != "" || len(a.Images.Builds) != 1 {
		t.Fatalf("with an open store the images are %+v, %v", a.Images, err)
	}
	v.locked = true
	if _, err := s.attempt(t.Context(), e, l); err == nil {
		t.Error("a job that was not sent is put together without the login")
	}
	l.attempt.Sent = true
	a, err = s.attempt(t.Context(), e, l)
	if err != nil || a.Images == nil || !strings.Contains(a.Images.Lacks, "ci/registry") {
		t.Errorf("with a locked store the images are %+v, %v", a.Images, err)
	}
}
