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
		Parameters: showParameters(b.Parameters),
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
	if p := j.Proof; p != nil {
		out.Proof = &client.Proof{Build: p.Build, Kind: string(p.Kind), By: p.By, At: p.At}
	}
	if j.State == scheduler.JobQueued && a.Scheduler.Draining() {
		out.Why = "the daemon drains and starts no job; runner drain --off ends that"
	}
	if short := a.Scheduler.ShortOfSpace(); j.State == scheduler.JobQueued && short != "" {
		out.Why = short
	}
	if !j.Started.IsZero() {
		out.Seconds = seconds(j.Started, j.EndedAt)
	}
	if j.Again != nil {
		out.RetryAt = j.Again.At
	}
	at := newest(j)
	if at == nil {
		return out
	}
	out.Attempts = showAttempts(j)
	out.Attempt, out.Phase, out.Command, out.Exit, out.Warm = at.Number, at.Phase, at.Command, at.Exit, at.Warm
	out.Reason, out.Message = cmp.Or(j.Reason, at.Reason), cmp.Or(j.Message, at.Message)
	out.Entered = at.Entered
	if k, ok := a.Scheduler.Kept(j.Build, j.ID); ok {
		out.Kept = &client.Kept{Until: k.Until, Bytes: k.Bytes, Inside: k.Inside}
	}
	out.Phases, out.Paused = showPhases(at.Phases), at.Paused
	out.Secondary = slices.Sorted(maps.Keys(at.Secondary))
	for _, v := range at.Exported {
		out.Exported = append(out.Exported, client.Variable{Name: v.Name, Value: v.Value})
	}
	for _, i := range at.Images {
		out.Images = append(out.Images, client.Image(i))
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

// showAttempts lists the tries at a job that has had more than one.
func showAttempts(j *scheduler.Job) (out []client.Attempt) {
	if len(j.Attempts) < 2 {
		return nil
	}
	for i := range j.Attempts {
		a := &j.Attempts[i]
		out = append(out, client.Attempt{
			Number: a.Number, Status: string(a.Status), Reason: a.Reason, Message: a.Message, Started: a.Started, Ended: a.EndedAt,
		})
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
		PullRequest: t.PullRequest, Fork: t.Fork, HeadRepo: t.HeadRepo, Draft: t.Draft, Labels: t.Labels, Release: t.Release,
		Notes: t.Notes,
	}
	if t.Approved != nil {
		out.ApprovedBy, out.ApprovedAt = t.Approved.By, t.Approved.At
	}
	if t.Image != nil {
		image := client.PushedImage(*t.Image)
		out.Image = &image
	}
	if t.Scheduled != nil {
		out.Schedule, out.Due, out.Missed = t.Scheduled.Schedule, t.Scheduled.Due, t.Scheduled.Missed
	}
	return out
}

func showProject(p scheduler.Project) client.Project {
	return client.Project{
		Filtering: showFiltering(&p.Project),
		Name:      p.Name, URL: p.URL, Branch: p.Branch, Buildspec: p.Buildspec, Image: p.Image, Pull: p.Pull, Env: p.Env,
		Parameters: p.Parameters, Secrets: p.Secrets, Push: p.Push, Approval: p.Approval, RetryFaults: p.RetryFaults, KeepFailed: p.KeepFailed, Privileged: p.Privileged, Visibility: p.Visibility,
		Network: p.Network, NetworkUntrusted: p.NetworkUntrusted, Notifications: showNotifications(p.Notifications),
		WebhookSecret: string(p.WebhookSecret), Username: p.Username, Token: string(p.Token),
		SSHKey: string(p.SSHKey), KnownHosts: string(p.KnownHosts), Depth: p.Depth, Submodules: p.Submodules,
		Protected: p.Protected, CPUs: p.Limits.CPUs, MemoryBytes: p.Limits.MemoryBytes, PIDs: p.Limits.PIDs,
		DiskBytes: p.Limits.DiskBytes, Files: p.Limits.Files, LogBytes: p.Limits.LogBytes, ArtifactBytes: p.Limits.ArtifactBytes,
		CacheBytes: p.Limits.CacheBytes, ReportBytes: p.Limits.ReportBytes, Jobs: p.Limits.Jobs,
		TimeoutSec: int64(p.Limits.Timeout / time.Second), QueueSec: int64(p.Limits.QueueTimeout / time.Second),
		MaxJobs: p.MaxJobs, Priority: p.Priority, Engine: p.Engine, Managed: p.Managed,
		GreenBeforePush: p.GreenBeforePush, GreenFrom: p.GreenFrom, GreenAgeSec: int64(p.GreenAge / time.Second), GreenTags: p.GreenTags,
		BuildParameters: showParameterSettings(p.BuildParameters), Schedules: eachOf(p.Schedules, showScheduleSetting),
		RegistryTriggers: eachOf(p.RegistryTriggers, showRegistryTrigger),
		StatusPer:        p.Status.Per, StatusContext: p.Status.Context, Comment: p.Comment,
		Forge: p.Forge, ForgeURL: p.ForgeURL, ForgeToken: string(p.ForgeToken), Webhook: p.Webhook, Poll: p.Poll,
	}
}

// readProject is showProject the other way.
func readProject(p client.Project) config.Project {
	limits := config.Limits{
		CPUs: p.CPUs, MemoryBytes: p.MemoryBytes, PIDs: p.PIDs, DiskBytes: p.DiskBytes, Files: p.Files,
		Timeout: asDuration(p.TimeoutSec), QueueTimeout: asDuration(p.QueueSec), LogBytes: p.LogBytes,
		ArtifactBytes: p.ArtifactBytes, CacheBytes: p.CacheBytes, ReportBytes: p.ReportBytes, Jobs: p.Jobs,
	}
	out := config.Project{
		Name: p.Name, URL: p.URL, Branch: p.Branch, Buildspec: p.Buildspec, Image: p.Image, Pull: p.Pull, Env: p.Env,
		Parameters: p.Parameters, Secrets: p.Secrets, Push: p.Push, Approval: p.Approval, RetryFaults: p.RetryFaults, KeepFailed: p.KeepFailed, Privileged: p.Privileged, Visibility: p.Visibility,
		Network: p.Network, NetworkUntrusted: p.NetworkUntrusted, Notifications: readNotifications(p.Notifications),
		WebhookSecret: config.Secret(p.WebhookSecret), Username: p.Username, Token: config.Secret(p.Token),
		SSHKey: config.Secret(p.SSHKey), KnownHosts: config.Secret(p.KnownHosts), Depth: p.Depth, Submodules: p.Submodules,
		Protected: p.Protected, Limits: limits, MaxJobs: p.MaxJobs, Priority: p.Priority, Engine: p.Engine,
		GreenBeforePush: p.GreenBeforePush, GreenFrom: p.GreenFrom, GreenAge: asDuration(p.GreenAgeSec), GreenTags: p.GreenTags,
		BuildParameters: readParameterSettings(p.BuildParameters), Schedules: eachOf(p.Schedules, readScheduleSetting),
		RegistryTriggers: eachOf(p.RegistryTriggers, readRegistryTrigger),
		Status:           config.Status{Per: p.StatusPer, Context: p.StatusContext}, Comment: p.Comment,
		Forge: p.Forge, ForgeURL: p.ForgeURL, ForgeToken: config.Secret(p.ForgeToken), Webhook: p.Webhook, Poll: p.Poll,
	}
	readFiltering(p.Filtering, &out)
	return out
}

// asDuration turns seconds into a duration, at most the longest there is.
func asDuration(sec int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(min(max(sec, -most), most)) * time.Second
}
