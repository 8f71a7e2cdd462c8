package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newProject(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "project",
		Short:   "List, show, add, change and remove projects",
		Long:    "A project is a repository and a buildspec path, with settings. Projects of the daemon's runner.yml can be shown here,\nand changed only there.",
		Example: "  runner project ls\n  runner project add https://github.com/example/api.git --token file:/etc/runner/github-token",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProjectLs(a), newProjectShow(a), newProjectAdd(a), newProjectSet(a), newProjectTestHook(a), newProjectRm(a))
	return exits(cmd, exitDone, exitTrouble)
}

func newProjectLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List projects",
		Example: "  runner project ls --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			projects, err := c.Projects(cmd.Context())
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, projects)
			case len(projects) == 0:
				a.view().Lines("no projects yet; add one with: runner project add URL")
				return nil
			}
			terminal.Projects(a.view(), projects)
			return nil
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newProjectShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [PROJECT]",
		Short:   "Show a project's settings",
		Long:    "Shows a project's settings, how its webhook is, and the newest delivery. PROJECT is by default the one whose repository\nis a remote here.",
		Example: "  runner project show\n  runner project show api --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			name, err := projectHere(cmd.Context(), c, first(args), "runner project show %s")
			if err != nil {
				return err
			}
			p, err := c.Project(cmd.Context(), name)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, p)
			}
			terminal.Project(a.view(), p)
			hook, err := c.Webhook(cmd.Context(), name)
			if err != nil {
				return err
			}
			terminal.WebhookState(a.view(), hook, time.Now())
			badge, err := c.Badge(cmd.Context(), name, "")
			var refused *client.Error
			switch {
			case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // of a daemon that has no badges yet
				return nil
			case err != nil:
				return err
			}
			terminal.Badge(a.view(), badge, p.Managed)
			return nil
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func projectFlags(cmd *cobra.Command, p *client.Project) {
	f := cmd.Flags()
	f.StringVar(&p.Branch, "branch", "", "default branch (default the remote's HEAD)")
	f.StringVar(&p.Buildspec, "buildspec", "", "path of the buildspec (default buildspec.yml)")
	f.StringVar(&p.Image, "image", "", "job image for buildspecs that name none")
	f.StringVar(&p.Pull, "pull", "", "always, if-not-present (default) or never")
	envFlag(cmd, &p.Env)
	f.StringToStringVar(&p.Parameters, "parameter-store", nil, "variable from the daemon's secret store, `NAME=PARAMETER`; may be repeated")
	f.StringToStringVar(&p.Secrets, "secrets-manager", nil, "the same, `NAME=SECRET[:KEY[:STAGE[:VERSION]]]`; may be repeated")
	f.StringVar(&p.Visibility, "visibility", "", "who may look at its builds without a token: private (default) for nobody, public for anybody")
	f.StringVar(&p.Robots, "robots", "", "whether search engines may index its pages, where they are public: disallow or allow (default the daemon's setting)")
	f.StringVar(&p.Badge, "badge", "", "token: its badge is shown to whoever knows the badge's token, also of a private project (token:WORD for another token); off: to nobody")
	f.StringVar(&p.Approval, "approval", "", "which pull requests wait for runner approve: forks (default), all or none")
	f.StringVar(&p.KeepFailed, "keep-failed", "", "how long the sandboxes of jobs that failed are kept for runner shell: off, or a duration like 4h (default the daemon's)")
	f.StringVar(&p.RetryFaults, "retry-faults", "", "which jobs are tried again that ended by the machine's fault: always, before-commands or never (default the daemon's)")
	f.BoolVar(&p.Privileged, "privileged", false, "permit jobs that ask for privileged-mode; they are root on the machine")
	f.StringVar(&p.Network, "network", "", "what jobs may reach: open, private (no public address) or none (default the daemon's setting)")
	f.StringVar(&p.NetworkUntrusted, "network-untrusted", "", "the same for jobs that are not trusted; it narrows --network")
	f.StringVar(&p.WebhookSecret, "webhook-secret", "", "what webhooks are signed with, file:/path or env:NAME")
	f.StringVar(&p.Username, "username", "", "user name that goes with --token")
	f.StringVar(&p.Token, "token", "", "for https repositories, file:/path or env:NAME")
	f.StringVar(&p.SSHKey, "ssh-key", "", "for ssh repositories, file:/path or env:NAME")
	f.StringVar(&p.KnownHosts, "known-hosts", "", "host keys for ssh, file:/path or env:NAME")
	f.IntVar(&p.Depth, "depth", 0, "history in the job's .git; 0 is all of it")
	f.BoolVar(&p.Submodules, "submodules", false, "fetch submodules too")
	f.StringToStringVar(&p.Push, "push", nil, "registry that trusted builds may push images to, with the secret that logs in there, `REGISTRY=SECRET`; may be repeated")
	f.StringSliceVar(&p.Protected, "protected", nil, "branches (main, release/*) and tags (refs/tags/v*) that are trusted (default the default branch)")
	f.Float64Var(&p.CPUs, "cpus", 0, "cores of a job (default the daemon's limit)")
	f.Int64Var(&p.PIDs, "pids", 0, "processes of a job (default the daemon's limit)")
	f.Int64Var(&p.Files, "files", 0, "files that a job may make (default the daemon's limit)")
	f.Int64Var(&p.Jobs, "jobs", 0, "jobs that one build may have (default the daemon's limit)")
	filterFlags(cmd, &p.Filtering)
	f.IntVar(&p.MaxJobs, "max-jobs", 0, "jobs of this project at once (default as many as there are slots)")
	f.IntVar(&p.Priority, "priority", 0, "higher goes first, -100 to 100")
	f.StringVar(&p.GreenBeforePush, "green-before-push", "", "which pushes take results that the same tree had before: off (default), untrusted or on")
	f.StringSliceVar(&p.GreenFrom, "green-from", nil, "with on: token or user:PERSON whose submits count for trusted pushes; may be repeated")
	f.BoolVar(&p.GreenTags, "green-tags", false, "tags and releases take results, too")
	f.StringVar(&p.StatusPer, "status", "", "which statuses of commits the forge is told: build (default), job (each job's too) or off")
	f.StringVar(&p.StatusContext, "status-context", "", "what they are called (default runner/{project})")
	f.StringVar(&p.Comment, "comment", "", "on pull requests, with what failed: off (default), on-failure or always")
	f.StringVar(&p.Engine, "engine", "", "id of the engine its jobs run on (default the first)")
	f.StringVar(&p.Forge, "forge", "", "github, gitlab, gitea, forgejo, gogs, bitbucket or bitbucket-server (default: found out)")
	f.StringVar(&p.ForgeURL, "forge-url", "", "address of the forge's API, where it is not where that forge has it")
	f.StringVar(&p.ForgeToken, "forge-token", "", "for the forge's API, file:/path or env:NAME (default --token)")
	f.StringVar(&p.Poll, "poll", "", "how often remote refs are compared with what was built, 10s or more, or off (default 5m where webhooks can be lost)")
}
