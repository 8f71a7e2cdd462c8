package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestNothingIsInline: the policy of the pages forbids styles and scripts within HTML, so that a browser would leave them out.
func TestNothingIsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|<script(?:>|[^>]*[^>]>[^<])`)
	names, err := templateFiles.ReadDir("templates")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, entry := range names {
		text, err := templateFiles.ReadFile("templates/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if inline.MatchString(line) {
				t.Errorf("templates/%s:%d has what the policy forbids: %s", entry.Name(), n+1, line)
			}
		}
	}
}

// TestEveryAssetIsServed: a file that no page names would be dead weight in the binary.
func TestEveryAssetIsServed(t *testing.T) {
	served := map[string]bool{"vendor/idiomorph.LICENSE": true} // the license goes with the file that is served
	for _, name := range slices.Concat(bundle, logBundle, sheets, singles) {
		served[name] = true
	}
	for _, folder := range []string{"", "css/", "vendor/"} {
		entries, err := assetFiles.ReadDir(strings.TrimSuffix("assets/"+folder, "/"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() && !served[folder+e.Name()] {
				t.Errorf("assets/%s%s is served nowhere", folder, e.Name())
			}
		}
	}
}

// TestEveryTemplateRendersItsData: a field that is misspelt shows itself when the page is asked for, and not before.
func TestEveryTemplateRendersItsData(t *testing.T) {
	s := New(Options{})
	now := time.Now()
	recent := client.Recent{Build: "api#1", Status: "FAILED", Ref: "refs/heads/main", Commit: "c0ffee00c0ffee", Title: "Begin", Author: "ada", Message: "no", Created: now, Ended: now, Seconds: 2}
	active := client.Active{Build: "api#2", Project: "api", Created: now.Add(-time.Minute), Started: now.Add(-30 * time.Second), Typical: 60, LeftSec: 30, Failures: 1, Starts: now, Place: 2,
		Jobs: []client.Job{{ID: "build", Phase: "PRE_BUILD", Command: "make", Phases: []client.Phase{{Name: "INSTALL", Status: "SUCCEEDED", Started: now.Add(-20 * time.Second), Seconds: 3}}}}}
	trigger := client.Trigger{ID: "t1", Kind: "pull_request", Projects: []string{"api"}, Received: now, Ref: "refs/pull/7/head", Commit: "c0ffee00", PullRequest: 7, Fork: true, HeadRepo: "x/y", Outcome: "skipped", Reason: "no filter", Builds: []string{"api#1"}, Skipped: []client.Skipped{{Project: "api", Reason: "no"}}, ApprovedBy: "ada"}
	turn := client.Turn{Build: "api#1", Project: "api", Job: client.Job{Name: "build", Why: "waits", Command: "make"}, Since: now, Place: 1, Starts: now, Ends: now}
	root := client.Identity{Name: "admin", Grants: []client.Grant{{Scope: "admin", Projects: []string{"*"}}}}
	lanes, axis := lanes([]client.Active{active}, now)
	overview := client.Overview{All: 2, Matching: 2, Running: []client.Active{active}, Waiting: []client.Active{active}, Approvals: []client.Trigger{trigger},
		Projects: []client.ProjectState{{Name: "api", Default: &recent, Recent: []client.Recent{recent}, Typical: 2}, {Name: "web", Running: true}}}
	broken := []client.Broken{{Project: "api", Ref: "refs/heads/main", Protected: true, Newest: recent, First: recent, Unsure: true}}
	empty := client.Status{Engines: []client.EngineStatus{{ID: "local", Error: "refused"}}}
	full := client.Status{Version: "1", Started: now, Warnings: []string{"look"}, Next: &client.Slot{Build: "api#1"}, Running: []client.Slot{{Build: "api#1", Since: now}}, NoWarm: "off",
		Tasks: []client.Task{{Name: "a", Doing: "b", Since: now, Error: "c", At: now}, {Name: "many", Many: true, Count: 2}}, Polls: []client.Poll{{Projects: []string{"api"}, At: now, Next: now}}, Stores: []client.Store{{Name: "x", Bytes: 1}},
		Outbox: client.Outbox{Items: []client.OutboxItem{{Kind: "status", Since: now}}, Dropped: []client.OutboxItem{{Kind: "status", Dropped: now}}}}
	for name, data := range map[string][]any{
		"home":     {home{Who: root}, home{}, home{Overview: client.Overview{All: 1}}, home{Overview: overview, Who: root, Lanes: lanes, Axis: axis, Ours: broken, Others: broken}},
		"queue":    {queue{}, queue{Who: root, Elsewhere: 1, Queue: client.Queue{Queued: 2, Draining: true, Held: []client.Turn{turn}, Waiting: []client.Turn{turn}, Blocked: []client.Turn{turn}, Planning: []string{"api#1"}, Approval: []client.Trigger{trigger}}}},
		"triggers": {triggers{Tab: "triggers"}, triggers{Tab: "triggers", Triggers: []client.Trigger{trigger}, Older: "/triggers?cursor=1"}, triggers{Tab: "deliveries", Who: root}, triggers{Tab: "deliveries", Deliveries: []client.Delivery{{At: now, Outcome: "refused", Trigger: "t1"}}}, triggers{Tab: "schedules"}, triggers{Tab: "schedules", Schedules: []client.Schedule{{Project: "api", Coming: []time.Time{now}, Last: &client.ScheduledRun{Due: now, Builds: []string{"api#1"}}}}}},
		"status":   {status{Status: empty}, status{Status: full, Used: 1}},
		"audit":    {audit{}, audit{Events: []sentence{sentenceOf(client.AuditEvent{At: now, Action: "approve", Object: "t1", Who: "ada"})}, Older: "/audit?cursor=1"}},
		"tokens":   {tokens{Now: now}, tokens{Now: now, Made: &client.NewToken{Secret: "s"}, Refused: &client.Error{Detail: "d", Hint: "h"}, Tokens: []client.Token{{Name: "ada", Projects: []string{"*", "api"}, Created: now, Expires: now.Add(-time.Second), Used: now}}}},
		"login":    {Login{Next: "/"}, Login{Who: root, Next: "/"}, Login{Problem: "no", SignIn: true}},
	} {
		for i, one := range data {
			var page strings.Builder
			f := frame{view: &view{Template: name, Title: name, Data: one}, Who: root, Here: "/" + name, Daemon: &client.Daemon{Slots: 2, Queued: 1}}
			if err := s.templates[name].ExecuteTemplate(&page, "layout", f); err != nil {
				t.Errorf("%s, case %d: %v", name, i, err)
			}
		}
	}
}

func TestTheAuditLogReadsAsSentences(t *testing.T) {
	for want, e := range map[string]client.AuditEvent{
		"stopped api#1: done":                   {Action: "stop-build", Object: "api#1", Result: 200},
		"revoked token %s%d: done":              {Action: "remove-token", Object: "%s%d", Result: 204},
		"showed a token: refused 12 times":      {Action: "authenticate", Result: 401, Count: 12},
		"something new x: failed: 409 Conflict": {Action: "something-new", Object: "x", Result: 409},
		"submitted a working tree of something: not known: the daemon ended meanwhile": {Action: "submit"},
	} {
		if got := sentenceOf(e); got.Text+": "+got.Came != want {
			t.Errorf("%q, want %q", got.Text+": "+got.Came, want)
		}
	}
}
