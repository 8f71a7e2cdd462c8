package openapi

import (
	"time"

	"github.com/runner-ci/runner/client"
)

// examples are values of the main types, by the names of their schemas. They are of the same types as the answers, so they
// cannot drift from them; a test validates each against its schema.
func examples() map[string]any {
	expires := at(lifetime)
	build, trigger := exampleBuild(), exampleTrigger()
	listed := build
	listed.Jobs, listed.Phases = nil, nil
	return map[string]any{
		"Build": build, "PageBuild": client.Page[client.Build]{Items: []client.Build{listed}, Next: "b142"},
		"Job": build.Jobs[0], "Phase": build.Phases[0],
		"Trigger": trigger, "PageTrigger": client.Page[client.Trigger]{Items: []client.Trigger{trigger}},
		"Start":        client.Start{Project: "api", Ref: "main", Parameters: map[string]string{"TARGET": "staging"}},
		"Project":      exampleProject(),
		"Token":        exampleToken(),
		"TokenRequest": client.TokenRequest{Name: "deploy-bot", Scope: "read", Projects: []string{"api"}, Expires: &expires},
		"NewToken":     client.NewToken{Token: exampleToken(), Secret: "rnr_…, shown once"},
		"Identity":     client.Identity{Name: "deploy-bot", Grants: []client.Grant{{Scope: "read", Projects: []string{"api"}}}, Expires: expires},
		"Secret": client.Secret{Name: "/prod/db/password", Project: "api", Versions: []client.SecretVersion{
			{ID: "2", Stage: "AWSCURRENT", Created: at(0), By: "admin"},
		}},
		"SecretChange": client.SecretChange{Name: "/prod/db/password", Project: "api", Value: new("correct horse battery staple")},
		"Daemon": client.Daemon{
			Version: "1.0.0", Instance: "4f7c2a9e", Running: 2, Queued: 1, Slots: 4, Warm: 1, Engines: []string{"local"},
		},
		"AuditEvent": client.AuditEvent{
			Seq: 812, At: at(0), Who: "ada", Address: "192.0.2.7", Action: "stop-build", Object: "api#142", Project: "api", Result: 200,
		},
	}
}

// at is a moment after that of all examples.
func at(d time.Duration) time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC).Add(d) }

const exampleCommit = "9f3c1d2e4b5a69788796a5b4c3d2e1f00f1e2d3c"

func exampleBuild() client.Build {
	phases := []client.Phase{
		{Name: "INSTALL", Status: "SUCCEEDED", Started: at(2 * time.Second), Seconds: 4.2},
		{Name: "BUILD", Status: "FAILED", Started: at(6 * time.Second), Seconds: 51.8, Code: "COMMAND_EXECUTION_ERROR", Message: "exit status 1"},
	}
	return client.Build{
		ID: "api#142", Project: "api", Number: 142, Trigger: "t97", Kind: "push", Status: "FAILED", Phase: "COMPLETED",
		Reason: "command_failed", Message: "command 2 of BUILD ended with status 1: go test ./...",
		Commit: exampleCommit, Ref: "refs/heads/main", Title: "Cache tokens by audience", Author: "Ada", Trusted: true,
		Created: at(0), Started: at(time.Second), Ended: at(59 * time.Second), Seconds: 59,
		Tests: &client.BuildTests{
			Passed: 1203, Failed: 1, Total: 1204, Shards: 1, Seconds: 50.1, SerialSeconds: 50.1, Summary: "1 of 1,204 tests failed", Failing: true,
		},
		Phases: []client.Phase{{Name: "SUBMITTED", Status: "SUCCEEDED", Started: at(0), Seconds: 0.1}},
		Jobs: []client.Job{{
			ID: "build", Name: "build", Status: "FAILED", State: "ended", Phase: "BUILD", Command: "go test ./...", Reason: "command_failed",
			Message: "command 2 of BUILD ended with status 1: go test ./...", Exit: 1, Image: "golang:1.26", Attempt: 1, Warm: true,
			Queued: at(0), Started: at(time.Second), Ended: at(59 * time.Second), Seconds: 58, Phases: phases, LogBytes: 48211,
		}},
	}
}

func exampleTrigger() client.Trigger {
	return client.Trigger{
		ID: "t97", Kind: "push", Projects: []string{"api"}, Received: at(0), Ref: "refs/heads/main", Commit: exampleCommit,
		Title: "Cache tokens by audience", Actor: "ada", Outcome: "built", Builds: []string{"api#142"},
	}
}

func exampleProject() client.Project {
	return client.Project{
		Name: "api", URL: "https://github.com/example/api.git", Branch: "main", Buildspec: "buildspec.yml", Image: "golang:1.26",
		WebhookSecret: "file:/etc/runner/api-webhook", MemoryBytes: 4 << 30, TimeoutSec: 1800, Visibility: "private", Managed: "api",
	}
}

func exampleToken() client.Token {
	return client.Token{
		ID: "k7", Name: "deploy-bot", Scope: "read", Projects: []string{"api"}, Created: at(0), By: "admin", Expires: at(lifetime),
	}
}

// lifetime is of the token of the examples: long, so that who copies them makes none that has expired.
const lifetime = 10 * 365 * 24 * time.Hour
