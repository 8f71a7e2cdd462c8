package scheduler

import (
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// builtins are CodeBuild's own variables. All others are laid over them; the image's lie below
// (https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html).
func (s *Scheduler) builtins(p *Project, l leased, pj *buildspec.Job, t *Trigger) []wire.Var {
	src := ""
	if ex, ok := s.runner.Executors[l.attempt.Engine]; ok {
		src = ex.Paths(l.attempt.Sandbox).Source
	}
	began := l.build.Started
	if !l.job.Started.IsZero() {
		began = l.job.Started
	}
	var env []wire.Var
	for _, v := range s.steadyBuiltins(p, l.build, t, pj) {
		env = append(env, wire.Var{Name: v.name, Value: v.value})
	}
	env = append(env, s.traceparent(l)...)
	return append(env,
		wire.Var{Name: "CODEBUILD_LOG_PATH", Value: l.attempt.Log},
		wire.Var{Name: "CODEBUILD_SRC_DIR", Value: src},
		wire.Var{Name: "CODEBUILD_START_TIME", Value: strconv.FormatInt(began.UnixMilli(), 10)},
		// The tree belongs to root and the job may run as anybody; git asks to be told that this is meant.
		wire.Var{Name: "GIT_CONFIG_COUNT", Value: "1"},
		wire.Var{Name: "GIT_CONFIG_KEY_0", Value: "safe.directory"},
		wire.Var{Name: "GIT_CONFIG_VALUE_0", Value: "*"},
	)
}

// steadyBuiltins are those that are known before the build begins and the same in each attempt.
func (s *Scheduler) steadyBuiltins(p *Project, b *Build, t *Trigger, pj *buildspec.Job) []variable {
	id := b.Project + ":" + s.buildUUID(b, pj.ID)
	url := fmt.Sprintf("%s/api/v1/builds/%s/%d", strings.TrimSuffix(s.config().URL, "/"), b.Project, b.Number)
	env := []variable{
		{name: "CI", value: "true"},
		{name: "CODEBUILD_CI", value: "true"},
		{name: "CODEBUILD_BUILD_ID", value: id},
		{name: "CODEBUILD_BUILD_ARN", value: "arn:aws:codebuild:local:000000000000:build/" + id},
		{name: "CODEBUILD_PROJECT_ARN", value: "arn:aws:codebuild:local:000000000000:project/" + b.Project},
		{name: "CODEBUILD_BUILD_IMAGE", value: pj.Image},
		{name: "CODEBUILD_BUILD_NUMBER", value: strconv.Itoa(b.Number)},
		{name: "CODEBUILD_BUILD_SUCCEEDING", value: "1"},
		{name: "CODEBUILD_BUILD_URL", value: url},
		{name: "CODEBUILD_INITIATOR", value: initiator(t)},
		{name: "CODEBUILD_RESOLVED_SOURCE_VERSION", value: b.Commit},
		{name: "CODEBUILD_SOURCE_REPO_URL", value: p.URL},
		{name: "CODEBUILD_SOURCE_VERSION", value: sourceVersion(b, t)},
	}
	if pj.Identifier != "" {
		env = append(env, variable{name: "CODEBUILD_BATCH_BUILD_IDENTIFIER", value: pj.Identifier})
	}
	for _, v := range webhookVars(t) {
		env = append(env, variable{name: v.Name, value: v.Value})
	}
	return env
}

// webhookVars are set for builds that an event of a forge made, with CodeBuild's forms of their values.
func webhookVars(t *Trigger) []wire.Var {
	if t.Event == "" {
		return nil
	}
	trigger := ""
	head := t.Ref
	switch {
	case t.PullRequest > 0:
		trigger = "pr/" + strconv.Itoa(t.PullRequest)
	case strings.HasPrefix(t.Ref, "refs/tags/"):
		trigger = "tag/" + strings.TrimPrefix(t.Ref, "refs/tags/")
	default:
		trigger = "branch/" + strings.TrimPrefix(t.Ref, "refs/heads/")
	}
	if t.HeadRef != "" {
		head = t.HeadRef
	}
	return []wire.Var{
		{Name: "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID", Value: t.ActorID},
		{Name: "CODEBUILD_WEBHOOK_BASE_REF", Value: t.BaseRef},
		{Name: "CODEBUILD_WEBHOOK_EVENT", Value: t.Event},
		{Name: "CODEBUILD_WEBHOOK_HEAD_REF", Value: head},
		{Name: "CODEBUILD_WEBHOOK_PREV_COMMIT", Value: t.Before},
		{Name: "CODEBUILD_WEBHOOK_TRIGGER", Value: trigger},
	}
}

func initiator(t *Trigger) string {
	if t.Event != "" {
		return hookshot(t.Delivery)
	}
	if t.Actor != "" {
		return t.Actor
	}
	return string(t.Kind)
}

// hookshot is how the forge of a delivery calls what sends its webhooks.
func hookshot(delivery string) string {
	forge, _, _ := strings.Cut(delivery, "/")
	switch forge {
	case "gitlab":
		return "GitLab/runner"
	case "bitbucket", "bitbucket-server":
		return "Bitbucket-Webhooks/runner"
	}
	return "GitHub-Hookshot/runner"
}

// sourceVersion is what was asked for: pr/N for pull requests, the commit for pushes, the ref otherwise. Of a retry it
// is what the first build was asked for.
func sourceVersion(b *Build, t *Trigger) string {
	switch {
	case t.SourceVersion != "":
		return t.SourceVersion
	case t.PullRequest > 0:
		return "pr/" + strconv.Itoa(t.PullRequest)
	case t.Commit != "":
		return t.Commit
	case b.Ref != "":
		return strings.TrimPrefix(strings.TrimPrefix(b.Ref, "refs/heads/"), "refs/tags/")
	}
	return b.Commit
}

// buildUUID names a job's build in the form that CodeBuild's ids have. It is derived, so that a restart, and a
// retry of the attempt, give the same one (RFC 9562, version 5 layout).
func (s *Scheduler) buildUUID(b *Build, job string) string {
	h := sha1.Sum([]byte(s.instance + "\x00" + b.ID() + "\x00" + job))
	h[6] = h[6]&0x0f | 0x50
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
