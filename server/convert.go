package server

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// This file turns the rows of the state into what the API shows. Nothing else in this package reads their fields to
// show them, so that every route tells the same story.

// showBuild shows a build without its jobs.
func (a *api) showBuild(b *scheduler.Build) client.Build {
	return client.Build{
		ID: b.ID(), Project: b.Project, Number: b.Number, Trigger: b.Trigger, Kind: a.kindOf(b),
		Status: string(b.Status), Phase: b.Phase, Reason: b.Reason, Message: b.Message,
		Commit: b.Commit, Tree: b.Tree, Ref: b.Ref, Title: b.Title, Author: b.Author, RetryOf: b.RetryOf, Trusted: b.Trusted, Fork: b.Fork,
		Created: b.Created, Started: b.Started, Ended: b.EndedAt, Seconds: seconds(b.Created, b.EndedAt),
		Warnings: b.Warnings, Note: b.Note, Phases: showPhases(b.Phases), Tests: a.buildTests(b),
	}
}

// kindOf tells what made a build: its trigger's kind.
func (a *api) kindOf(b *scheduler.Build) string {
	if b.RetryOf != "" {
		return string(scheduler.KindRetry)
	}
	t, err := a.Scheduler.Trigger(b.Trigger)
	if err != nil {
		return ""
	}
	return string(t.Kind)
}

// showJob shows a job with its newest attempt spread over it.
func (a *api) showJob(j *scheduler.Job) client.Job {
	out := client.Job{
		ID: j.ID, Name: j.Name, Status: string(j.Status), State: string(j.State), Why: j.Why,
		Reason: j.Reason, Message: j.Message, Queued: j.Queued, Started: j.Started, Ended: j.EndedAt,
		TakenFrom: j.TakenFrom,
	}
	if j.State == scheduler.JobQueued && a.Scheduler.Draining() {
		out.Why = "the daemon drains and starts no job; runner drain --off ends that"
	}
	if !j.Started.IsZero() {
		out.Seconds = seconds(j.Started, j.EndedAt)
	}
	at := newest(j)
	if at == nil {
		return out
	}
	out.Attempt, out.Phase, out.Command, out.Exit, out.Warm = at.Number, at.Phase, at.Command, at.Exit, at.Warm
	out.Reason, out.Message = cmp.Or(j.Reason, at.Reason), cmp.Or(j.Message, at.Message)
	out.Phases, out.Paused = showPhases(at.Phases), at.Paused
	out.Secondary = slices.Sorted(maps.Keys(at.Secondary))
	for _, v := range at.Exported {
		out.Exported = append(out.Exported, client.Variable{Name: v.Name, Value: v.Value})
	}
	if at.Reports != nil {
		for i, g := range at.Reports.Groups {
			out.Reports = append(out.Reports, client.ReportGroup{
				Name: g.Name, Format: g.Format, Files: g.Files, Folder: fmt.Sprintf("%d/", i), Discovered: g.Discovered,
			})
		}
	}
	if state, err := a.Artifacts.LogState(at.Log); err == nil {
		out.LogBytes = state.Bytes
	}
	return out
}

// newest returns a job's newest attempt, or nil.
func newest(j *scheduler.Job) *scheduler.Attempt {
	if len(j.Attempts) == 0 {
		return nil
	}
	return &j.Attempts[len(j.Attempts)-1]
}

func showPhases(phases []scheduler.Phase) []client.Phase {
	out := make([]client.Phase, len(phases))
	for i, p := range phases {
		took := p.Took
		if p.Status == scheduler.InProgress && !p.Started.IsZero() {
			took = max(took, time.Since(p.Started))
		}
		out[i] = client.Phase{
			Name: p.Name, Status: string(p.Status), Started: p.Started, Seconds: took.Seconds(), Code: p.Code, Message: p.Message,
		}
	}
	return out
}

// seconds counts from began to ended, or to now where that has not come.
func seconds(began, ended time.Time) float64 {
	if ended.IsZero() {
		ended = time.Now()
	}
	return max(0, ended.Sub(began).Seconds())
}

func showTrigger(t scheduler.Trigger) client.Trigger {
	out := client.Trigger{
		ID: t.ID, Kind: string(t.Kind), Projects: t.Projects, Delivery: t.Delivery, Received: t.Received,
		Ref: t.Ref, Commit: t.Commit, Title: t.Title, Actor: t.Actor,
		Outcome: string(t.Outcome), Reason: t.Reason, Builds: t.Builds,
		PullRequest: t.PullRequest, Fork: t.Fork,
	}
	if t.Approved != nil {
		out.ApprovedBy, out.ApprovedAt = t.Approved.By, t.Approved.At
	}
	return out
}

func showProject(p scheduler.Project) client.Project {
	return client.Project{
		Name: p.Name, URL: p.URL, Branch: p.Branch, Buildspec: p.Buildspec, Image: p.Image, Pull: p.Pull, Env: p.Env,
		Parameters: p.Parameters, Secrets: p.Secrets, Approval: p.Approval, Privileged: p.Privileged,
		Network: p.Network, NetworkUntrusted: p.NetworkUntrusted,
		WebhookSecret: string(p.WebhookSecret), Username: p.Username, Token: string(p.Token),
		SSHKey: string(p.SSHKey), KnownHosts: string(p.KnownHosts), Depth: p.Depth, Submodules: p.Submodules,
		Protected: p.Protected, CPUs: p.Limits.CPUs, MemoryBytes: p.Limits.MemoryBytes, PIDs: p.Limits.PIDs,
		TimeoutSec: int64(p.Limits.Timeout / time.Second), QueueSec: int64(p.Limits.QueueTimeout / time.Second),
		MaxJobs: p.MaxJobs, Priority: p.Priority, Engine: p.Engine, Managed: p.Managed,
	}
}

// readProject is showProject the other way. Limits that the API does not show are kept as they were.
func readProject(p client.Project, was config.Limits) config.Project {
	limits := was
	limits.CPUs, limits.MemoryBytes, limits.PIDs = p.CPUs, p.MemoryBytes, p.PIDs
	limits.Timeout, limits.QueueTimeout = asDuration(p.TimeoutSec), asDuration(p.QueueSec)
	return config.Project{
		Name: p.Name, URL: p.URL, Branch: p.Branch, Buildspec: p.Buildspec, Image: p.Image, Pull: p.Pull, Env: p.Env,
		Parameters: p.Parameters, Secrets: p.Secrets, Approval: p.Approval, Privileged: p.Privileged,
		Network: p.Network, NetworkUntrusted: p.NetworkUntrusted,
		WebhookSecret: config.Secret(p.WebhookSecret), Username: p.Username, Token: config.Secret(p.Token),
		SSHKey: config.Secret(p.SSHKey), KnownHosts: config.Secret(p.KnownHosts), Depth: p.Depth, Submodules: p.Submodules,
		Protected: p.Protected, Limits: limits, MaxJobs: p.MaxJobs, Priority: p.Priority, Engine: p.Engine,
	}
}

// asDuration turns seconds into a duration, at most the longest there is.
func asDuration(sec int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(min(max(sec, -most), most)) * time.Second
}
