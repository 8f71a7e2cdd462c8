package terminal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// maxTitle is where a title is cut in a table, in runes, so that what stands behind it stays in sight.
const maxTitle = 50

func title(text string) string {
	runes := []rune(oneLine(text))
	if len(runes) > maxTitle {
		return string(runes[:maxTitle-1]) + "…"
	}
	return string(runes)
}

// Builds lists builds, one a line.
func Builds(o *Output, builds []client.Build, now time.Time) {
	t := Table{Head: []string{"build", "status", "time", "begun", "kind", "ref", "commit", "title"}, Right: map[int]bool{2: true}}
	for _, b := range builds {
		status := b.Status + reason(b.Reason)
		if b.Status == inProgress && b.Phase == "QUEUED" {
			status = b.Phase
		}
		t.Row(o.sign(b.Status)+" "+b.ID, status, Seconds(b.Seconds), Ago(b.Created, now), b.Kind, shortRef(b.Ref), short(b.Commit), title(b.Title))
	}
	t.Print(o)
}

// Triggers lists deliveries and what became of them.
func Triggers(o *Output, triggers []client.Trigger, now time.Time) {
	t := Table{Head: []string{"trigger", "received", "kind", "ref", "commit", "outcome", "builds or reason"}}
	for _, x := range triggers {
		ref := shortRef(x.Ref)
		switch {
		case x.Image != nil:
			ref = title(x.Image.Name + ":" + x.Image.Tag)
		case ref == "" && x.Commit == "":
			ref = "default branch" // whose newest commit was not asked for by name
		}
		t.Row(oneLine(x.ID), Ago(x.Received, now), x.Kind, ref, short(x.Commit), x.Outcome, fate(x))
	}
	t.Print(o)
}

// Inbox lists deliveries of webhooks.
func Inbox(o *Output, deliveries []client.Delivery, now time.Time) {
	t := Table{Head: []string{"received", "forge", "event", "repository or projects", "ref", "answer", "trigger or reason"}}
	for _, x := range deliveries {
		of := oneLine(strings.Join(x.Projects, " "))
		if of == "" {
			of = oneLine(x.Repository) + " from " + oneLine(x.Remote)
		}
		fate := x.Trigger
		if x.Reason != "" {
			fate = strings.TrimSpace(fate + " " + oneLine(x.Reason))
		}
		t.Row(Ago(x.At, now), x.Forge, oneLine(x.Event), of, shortRef(x.Ref), fmt.Sprintf("%d %s", x.Status, x.Outcome), fate)
	}
	t.Print(o)
}

// Projects lists projects.
func Projects(o *Output, projects []client.Project) {
	t := Table{Head: []string{"project", "repository", "buildspec", "managed by"}}
	for _, p := range projects {
		t.Row(oneLine(p.Name), oneLine(p.URL), oneLine(p.Buildspec), p.Managed)
	}
	t.Print(o)
}

// Project writes one project's settings, those that are set.
func Project(o *Output, p client.Project) {
	t := Table{}
	set := func(name, value string) {
		if value != "" && value != "0" && value != "0 B" && value != "false" {
			t.Row(name, oneLine(value))
		}
	}
	set("name", p.Name)
	set("url", p.URL)
	set("branch", p.Branch)
	set("buildspec", p.Buildspec)
	set("image", p.Image)
	set("pull", p.Pull)
	set("webhook-secret", p.WebhookSecret)
	set("username", p.Username)
	set("token", p.Token)
	set("ssh-key", p.SSHKey)
	set("known-hosts", p.KnownHosts)
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		t.Row("env", oneLine(name+"="+p.Env[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		t.Row("parameter-store", oneLine(name+"="+p.Parameters[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		t.Row("secrets-manager", oneLine(name+"="+p.Secrets[name]))
	}
	parameterRows(&t, p.BuildParameters)
	for _, s := range p.Schedules {
		t.Row("schedule", oneLine(s.Name+": "+s.Cron+" "+s.Timezone))
	}
	for _, r := range p.RegistryTriggers {
		t.Row("registry-trigger", oneLine(r.Registry+" "+r.Repository+":"+cmp.Or(r.Tag, "*")))
	}
	set("approval", p.Approval)
	set("visibility", p.Visibility)
	set("retry-faults", p.RetryFaults)
	set("keep-failed", p.KeepFailed)
	set("network", p.Network)
	set("network-untrusted", p.NetworkUntrusted)
	set("privileged", strconv.FormatBool(p.Privileged))
	set("depth", strconv.Itoa(p.Depth))
	set("submodules", strconv.FormatBool(p.Submodules))
	set("protected", strings.Join(p.Protected, " "))
	filtering(p.Filtering, set)
	set("cpus", strconv.FormatFloat(p.CPUs, 'g', -1, 64))
	set("memory", Size(p.MemoryBytes))
	set("pids", strconv.FormatInt(p.PIDs, 10))
	set("disk", Size(p.DiskBytes))
	set("files", strconv.FormatInt(p.Files, 10))
	set("log", Size(p.LogBytes))
	set("artifacts", Size(p.ArtifactBytes))
	set("cache", Size(p.CacheBytes))
	set("reports", Size(p.ReportBytes))
	set("jobs", strconv.FormatInt(p.Jobs, 10))
	set("timeout", orNone(p.TimeoutSec))
	set("queue-timeout", orNone(p.QueueSec))
	set("max-jobs", strconv.Itoa(p.MaxJobs))
	set("priority", strconv.Itoa(p.Priority))
	set("status", p.StatusPer)
	set("status-context", p.StatusContext)
	set("comment", p.Comment)
	set("engine", p.Engine)
	set("green-before-push", p.GreenBeforePush)
	set("green-from", strings.Join(p.GreenFrom, " "))
	set("green-age", orNone(p.GreenAgeSec))
	set("green-tags", strconv.FormatBool(p.GreenTags))
	set("forge", p.Forge)
	set("forge-url", p.ForgeURL)
	set("forge-token", p.ForgeToken)
	set("webhook", p.Webhook)
	set("poll", p.Poll)
	set("managed by", p.Managed)
	t.Print(o)
}

func orNone(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return Seconds(float64(seconds))
}
