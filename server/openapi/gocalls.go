package openapi

// goCalls are the calls of package client that do what operations do, by the ids of those. A test holds them against that package; an operation
// without one here gets a call of net/http.
var goCalls = map[string]string{
	"daemon":  `d, err := c.Daemon(ctx)`,
	"drain":   `d, err := c.Drain(ctx, true)`,
	"status":  `s, err := c.Status(ctx)`,
	"backup":  `tar, err := c.Backup(ctx) // read it to its end, and close it`,
	"openapi": `text, err := c.OpenAPI(ctx)`,

	"list-builds":  `page, err := c.Builds(ctx, client.ListOptions{Project: "api", Status: "FAILED"})`,
	"show-build":   `b, err := c.Build(ctx, "api#142")`,
	"watch-build":  "err := c.Watch(ctx, \"api#142\", func(b client.Build) (more bool) {\n\tfmt.Println(b.Phase, b.Status)\n\treturn true\n})",
	"read-log":     `log, err := c.Log(ctx, "api#142", "", client.LogOptions{Follow: true}) // close it`,
	"stop-build":   `b, err := c.Stop(ctx, "api#142")`,
	"retry-build":  `t, err := c.Retry(ctx, "api#142", true) // true: only what failed`,
	"resume-build": `jobs, err := c.Resume(ctx, "api#142", "")`,

	"list-artifacts": `sets, err := c.Artifacts(ctx, "api#142")`,
	"list-reports":   `sets, err := c.Reports(ctx, "api#142")`,
	"read-artifact":  `file, err := c.ArtifactFile(ctx, "api#142", "", "dist/app.tar.gz") // close it`,
	"read-archive":   `zip, err := c.Archive(ctx, "api#142", "", "zip") // close it`,

	"list-tests":      `report, err := c.Tests(ctx, "api#142", client.TestOptions{})`,
	"list-coverage":   `files, err := c.Coverage(ctx, "api#142")`,
	"rank-tests":      `page, err := c.TestTrends(ctx, "api", client.TrendOptions{Sort: "flaky"})`,
	"test-history":    `results, err := c.TestHistory(ctx, "api", id)`,
	"list-quarantine": `q, err := c.Quarantine(ctx, "api")`,

	"list-inbox":     `page, err := c.Inbox(ctx, client.InboxOptions{})`,
	"list-triggers":  `page, err := c.Triggers(ctx, client.ListOptions{Outcome: "waiting"})`,
	"show-trigger":   `t, err := c.WaitTrigger(ctx, "t97")`,
	"approve":        `t, err := c.Approve(ctx, "t97", "")`,
	"start":          `t, err := c.Start(ctx, client.Start{Project: "api", Ref: "main"})`,
	"list-schedules": `schedules, err := c.Schedules(ctx)`,

	"list-projects":   `projects, err := c.Projects(ctx)`,
	"show-project":    `p, tag, err := c.ProjectTag(ctx, "api")`,
	"put-project":     `err := c.PutProjectIf(ctx, p, tag) // of ProjectTag: nobody changed it meanwhile`,
	"remove-project":  `err := c.RemoveProject(ctx, "api")`,
	"show-webhook":    `hook, err := c.Webhook(ctx, "api")`,
	"connect-webhook": `hook, err := c.ConnectWebhook(ctx, "api")`,
	"remove-webhook":  `hook, err := c.RemoveWebhook(ctx, "api")`,
	"show-badge":      `badge, err := c.Badge(ctx, "api", "main")`,
	"known-commits":   `ids, err := c.Known(ctx, "api", ids)`,
	"submit":          `t, err := c.Submit(ctx, "api", client.Submission{Commit: id}, pack)`,

	"list-secrets":  `secrets, err := c.Secrets(ctx, "")`,
	"put-secret":    `changed, err := c.PutSecret(ctx, client.SecretChange{Name: "/prod/db/password", Project: "api", Value: &value})`,
	"remove-secret": `err := c.RemoveSecret(ctx, "/prod/db/password", "api")`,
	"audit-secrets": `page, err := c.SecretAudit(ctx, "", client.ListOptions{})`,

	"list-caches":  `caches, err := c.Caches(ctx)`,
	"remove-cache": `err := c.RemoveCache(ctx, id)`,

	"whoami":       `who, err := c.Whoami(ctx)`,
	"list-tokens":  `tokens, err := c.Tokens(ctx)`,
	"create-token": `made, err := c.CreateToken(ctx, client.TokenRequest{Name: "deploy-bot", Scope: "read", Projects: []string{"api"}})`,
	"remove-token": `err := c.RemoveToken(ctx, "deploy-bot")`,
	"audit":        `page, err := c.Audit(ctx, client.AuditOptions{})`,
}
