package scheduler

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// environment builds a job's variables. Later ones win: CodeBuild's own, then the buildspec's, the project's, the
// trigger's (https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html). The image's
// variables lie below all of them.
func (s *Scheduler) environment(p *Project, l leased, pj *buildspec.Job) []wire.Var {
	t, _ := s.Trigger(l.build.Trigger)
	env := s.builtins(p, l, pj, &t)
	for _, v := range pj.Env {
		env = append(env, wire.Var{Name: v.Name, Value: v.Value})
	}
	for _, layer := range []map[string]string{p.Env, t.Override.Env} {
		for _, name := range slices.Sorted(maps.Keys(layer)) {
			env = append(env, wire.Var{Name: name, Value: layer[name]})
		}
	}
	return env
}

func (s *Scheduler) builtins(p *Project, l leased, pj *buildspec.Job, t *Trigger) []wire.Var {
	b := l.build
	src := ""
	if ex, ok := s.runner.Executors[l.attempt.Engine]; ok {
		src = ex.Paths(l.attempt.Sandbox).Source
	}
	id := b.Project + ":" + s.buildUUID(b, l.job.ID)
	env := []wire.Var{
		{Name: "CI", Value: "true"},
		{Name: "CODEBUILD_CI", Value: "true"},
		{Name: "CODEBUILD_BUILD_ID", Value: id},
		{Name: "CODEBUILD_BUILD_ARN", Value: "arn:aws:codebuild:local:000000000000:build/" + id},
		{Name: "CODEBUILD_PROJECT_ARN", Value: "arn:aws:codebuild:local:000000000000:project/" + b.Project},
		{Name: "CODEBUILD_BUILD_IMAGE", Value: pj.Image},
		{Name: "CODEBUILD_BUILD_NUMBER", Value: strconv.Itoa(b.Number)},
		{Name: "CODEBUILD_BUILD_SUCCEEDING", Value: "1"},
		{Name: "CODEBUILD_BUILD_URL", Value: fmt.Sprintf("%s/api/v1/builds/%s/%d", strings.TrimSuffix(s.config().URL, "/"), b.Project, b.Number)},
		{Name: "CODEBUILD_INITIATOR", Value: initiator(t)},
		{Name: "CODEBUILD_LOG_PATH", Value: l.attempt.Log},
		{Name: "CODEBUILD_RESOLVED_SOURCE_VERSION", Value: b.Commit},
		{Name: "CODEBUILD_SOURCE_REPO_URL", Value: p.URL},
		{Name: "CODEBUILD_SOURCE_VERSION", Value: sourceVersion(b, t)},
		{Name: "CODEBUILD_SRC_DIR", Value: src},
		{Name: "CODEBUILD_START_TIME", Value: strconv.FormatInt(b.Started.UnixMilli(), 10)},
		// The tree belongs to root and the job may run as anybody; git asks to be told that this is meant.
		{Name: "GIT_CONFIG_COUNT", Value: "1"},
		{Name: "GIT_CONFIG_KEY_0", Value: "safe.directory"},
		{Name: "GIT_CONFIG_VALUE_0", Value: "*"},
	}
	if pj.Identifier != "" {
		env = append(env, wire.Var{Name: "CODEBUILD_BATCH_BUILD_IDENTIFIER", Value: pj.Identifier})
	}
	return append(env, webhookVars(t)...)
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
		return "GitHub-Hookshot/runner"
	}
	if t.Actor != "" {
		return t.Actor
	}
	return string(t.Kind)
}

// sourceVersion is what was asked for: pr/N for pull requests, the commit for pushes, the ref otherwise.
func sourceVersion(b *Build, t *Trigger) string {
	switch {
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
