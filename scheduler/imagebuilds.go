package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/secrets"
)

// reasonImages ends a build whose images cannot be built or pushed as its buildspec says.
const reasonImages = "images"

// tagValues are what the templates of tags stand for in a build.
func tagValues(b *Build) buildspec.TagValues {
	v := buildspec.TagValues{Commit: b.Commit, Build: b.Number}
	v.Branch, _ = strings.CutPrefix(b.Ref, "refs/heads/")
	v.Tag, _ = strings.CutPrefix(b.Ref, "refs/tags/")
	if v.Branch == b.Ref {
		v.Branch = ""
	}
	if v.Tag == b.Ref {
		v.Tag = ""
	}
	return v
}

// withheld says why a build pushes nothing; "" where it pushes.
func withheld(b *Build) string {
	if b.Trusted && !b.Fork {
		return ""
	}
	return "this build is not trusted; builds of the project's protected refs are"
}

// leaveImagesOut takes the images out of the plan of a build that may build none, which so needs no builder, and warns of it.
// A retry has the same plan.
func (s *Scheduler) leaveImagesOut(b *Build) {
	if s.config().Images.Untrusted != config.UntrustedOff || withheld(b) == "" {
		return
	}
	var names []string
	told := make(map[string]bool)
	for i := range b.Plan.Jobs {
		pj := &b.Plan.Jobs[i]
		for _, image := range pj.Images {
			names = tellOnce(names, told, image.Name)
		}
		pj.Images = nil
	}
	if len(names) > 0 {
		b.Warnings = append(b.Warnings, fmt.Sprintf("%s, and images.untrusted is off, so its images are not built: %s", withheld(b), strings.Join(names, ", ")))
	}
}

// checkImages judges, before a job runs, what its images ask for.
func (s *Scheduler) checkImages(ctx context.Context, p *Project, t *Trigger, b *Build, jobs []Job) *planFailure {
	var problems []string
	told := make(map[string]bool)
	for i := range jobs {
		pj := &b.Plan.Jobs[i]
		if jobs[i].State == JobEnded {
			continue
		}
		sealed := secretNames(variables(p, b, t, pj))
		for _, image := range pj.Images {
			for _, err := range s.imageProblems(ctx, p, b, &image, sealed) {
				problems = tellOnce(problems, told, fmt.Sprintf("%s: image %s: %v", pj.Buildspec, image.Name, err))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &planFailure{status: Failed, reason: reasonImages, message: strings.Join(problems, "\n")}
}

func (s *Scheduler) imageProblems(ctx context.Context, p *Project, b *Build, image *buildspec.Image, sealed map[string]bool) (problems []error) {
	if _, _, err := buildspec.ImageTags(image.Tags, tagValues(b)); err != nil {
		problems = append(problems, err)
	}
	for _, name := range image.Secrets {
		if !sealed[name] {
			problems = append(problems, fmt.Errorf("its secret %s is no variable of parameter-store or secrets-manager; give it a name there, in the buildspec or in the project's settings", name))
		}
	}
	if image.Push == "" || withheld(b) != "" {
		return problems
	}
	server := runner.RegistryOf(image.Push)
	secret, listed := p.Push[server]
	if !listed {
		return append(problems, fmt.Errorf("project %s may not push to %s: add it to the project's setting push, with the secret that logs in there", p.Name, server))
	}
	if secret != "" {
		if err := s.askVault(ctx, b, secretRef(secret)); err != nil {
			problems = append(problems, fmt.Errorf("the credentials of %s, secret %s of the project's setting push: %w", server, secret, err))
		}
	}
	return problems
}

func secretRef(text string) secrets.Ref {
	r, err := buildspec.ParseSecretRef(text)
	if err != nil {
		return secrets.Ref{Name: text} // an unchecked row: the vault will not know it
	}
	return secrets.Ref{Name: r.Secret, Key: r.Key, Stage: r.Stage, Version: r.Version}
}

// contextOf lists what a job's images are built of, each path once.
func contextOf(pj *buildspec.Job) (paths []string) {
	for _, image := range pj.Images {
		for _, at := range []string{image.Context, image.Dockerfile} {
			if !slices.Contains(paths, at) {
				paths = append(paths, at)
			}
		}
	}
	return paths
}

// imagesFor are the images that an attempt builds, with what it is lent for them.
func (s *Scheduler) imagesFor(ctx context.Context, p *Project, t *Trigger, b *Build, pj *buildspec.Job, env []wire.Var) (*runner.Images, error) {
	if len(pj.Images) == 0 {
		return nil, nil
	}
	settings := s.config().Images
	out := &runner.Images{Builder: b.Images[settings.Builder], When: b.Committed, StateBytes: settings.StateBytes}
	if out.Builder.ID == "" {
		return nil, fmt.Errorf("images.builder was changed to %s since the build was planned: retry the build", settings.Builder)
	}
	if settings.StateBytes > 0 {
		out.State = cacheScope(b, t).Write
	}
	sealed := secretNames(variables(p, b, t, pj))
	for _, image := range pj.Images {
		build := runner.ImageBuild{
			Name: image.Name, Dockerfile: image.Dockerfile, Context: image.Context, Target: image.Target, NoCache: image.NoCache,
			Repository: image.Push, Withheld: withheld(b), Variable: image.Variable(),
		}
		var err error
		if build.Tags, build.Notes, err = buildspec.ImageTags(image.Tags, tagValues(b)); err != nil {
			return nil, err
		}
		for _, a := range image.Args {
			build.Args = append(build.Args, wire.Var{Name: a.Name, Value: a.Value})
		}
		build.Labels = imageLabels(p, b, image)
		for _, name := range image.Secrets {
			if value, ok := lastValue(env, name); ok && sealed[name] {
				build.Secrets = append(build.Secrets, wire.Var{Name: name, Value: value})
			}
		}
		if image.Push != "" && build.Withheld == "" {
			if build.Auth, err = s.pushAuth(ctx, p, b, image.Push); err != nil {
				return nil, fmt.Errorf("%w: %w", errSecrets, err)
			}
			if !image.NoCache {
				build.Last = s.lastPush(p.Name, image.Name, image.Push)
			}
		}
		out.Builds = append(out.Builds, build)
	}
	return out, nil
}

func lastValue(env []wire.Var, name string) (string, bool) {
	for _, v := range slices.Backward(env) {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}

// imageLabels are those of the OCI's names, ours, and then the buildspec's, which win. None of them differs between two
// builds of one ref and commit.
func imageLabels(p *Project, b *Build, image buildspec.Image) []wire.Var {
	const oci = "org.opencontainers.image."
	labels := []wire.Var{
		{Name: oci + "source", Value: plainURL(p.URL)},
		{Name: oci + "revision", Value: b.Commit},
		{Name: oci + "created", Value: b.Committed.UTC().Format(time.RFC3339)},
		{Name: "runner.project", Value: p.Name},
		{Name: "runner.image", Value: image.Name},
	}
	if tag := tagValues(b).Tag; tag != "" {
		version := tag
		if semver, _, err := buildspec.ImageTags([]string{"{semver}"}, tagValues(b)); err == nil && len(semver) == 1 {
			version = semver[0]
		}
		labels = append(labels, wire.Var{Name: oci + "version", Value: version})
	}
	for _, l := range image.Labels {
		labels = append(labels, wire.Var{Name: l.Name, Value: l.Value})
	}
	return labels
}

// plainURL is a repository's address without what logs in there.
func plainURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}

// pushAuth opens the credentials of the registry that an image is pushed to; nil where the project's settings name none.
func (s *Scheduler) pushAuth(ctx context.Context, p *Project, b *Build, repository string) (*runner.RegistryAuth, error) {
	server := runner.RegistryOf(repository)
	secret, listed := p.Push[server]
	switch {
	case !listed:
		return nil, fmt.Errorf("project %s may not push to %s any more: add it to the project's setting push", p.Name, server)
	case secret == "":
		return nil, nil
	case s.vault == nil:
		return nil, errNoVault
	}
	text, err := s.vault.Value(ctx, subject(b), secretRef(secret))
	if err != nil {
		return nil, fmt.Errorf("the credentials of %s, secret %s of the project's setting push: %w", server, secret, err)
	}
	auth, err := readLogin(text)
	if err != nil {
		return nil, fmt.Errorf("secret %s of the project's setting push: %w", secret, err)
	}
	auth.Server = server
	return auth, nil
}

// readLogin reads a login as it stands in the store. Its errors tell nothing of it.
func readLogin(text string) (*runner.RegistryAuth, error) {
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(text), &login); err != nil || login.Username == "" || login.Password == "" {
		return nil, errors.New(`its value is no login of a registry, expected JSON like {"username": "ci", "password": "…"}`)
	}
	return &runner.RegistryAuth{Username: login.Username, Password: login.Password}, nil
}

// builtBefore are the digests of images that jobs built on which this one depends, directly or by others.
func (s *Scheduler) builtBefore(b *Build, pj *buildspec.Job) (env []wire.Var) {
	x := b.indexed()
	seen := map[string]bool{}
	line := slices.Clone(pj.DependsOn)
	for ; len(line) > 0; line = line[1:] {
		i, known := x.at[line[0]]
		if seen[line[0]] || !known {
			continue
		}
		seen[line[0]] = true
		line = append(line, b.Plan.Jobs[i].DependsOn...)
		if len(b.Plan.Jobs[i].Images) == 0 {
			continue
		}
		j, err := s.jobAt(b, i)
		if err != nil || len(j.Attempts) == 0 {
			continue
		}
		built := j.Attempts[len(j.Attempts)-1].Images
		for _, image := range b.Plan.Jobs[i].Images {
			for _, is := range built {
				if is.Name == image.Name {
					env = append(env, wire.Var{Name: image.Variable(), Value: is.Digest})
				}
			}
		}
	}
	return env
}

// jobAt reads one job's row.
func (s *Scheduler) jobAt(b *Build, index int) (j *Job, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		j, err = get[Job](tx, bucketJobs, jobKey(buildKey(b.Project, b.Number), index))
		return err
	})
	return j, err
}
