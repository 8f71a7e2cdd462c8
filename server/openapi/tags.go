package openapi

// tag is a group of operations.
type tag struct{ Name, Description string }

// tags are all groups, in the order in which people read of them.
var tags = []tag{
	{"builds", "What was built: states, logs, and what can be done to a build."},
	{"artifacts", "What jobs left: files, reports, archives."},
	{"tests", "What tests came to, in one build and over time."},
	{"triggers", "What asks for builds: events, people, schedules. A trigger becomes builds, or is skipped with a reason."},
	{"submit", "A laptop's working tree, sent as a git pack."},
	{"projects", "Repositories with their settings, and their webhooks."},
	{"caches", "Directories that jobs leave for later ones."},
	{"secrets", "Parameters and secrets, sealed: they are set here and never given out."},
	{"access", "Who you are, tokens, and the audit log."},
	{"daemon", "The daemon itself: what it does right now, and its state as a backup."},
	{"badges", "Whether a branch passes, as a picture."},
	{"feeds", "Builds that ended, for readers of Atom feeds."},
	{"login", "Browsers' sessions."},
	{"hooks", "Where forges and registries deliver, and what came in."},
	{"health", "For supervisors and load balancers."},
	{"documentation", "This document, and for robots."},
}
