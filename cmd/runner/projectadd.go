package main

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

func newProjectAdd(a *app) *cobra.Command {
	var p client.Project
	written := newLimitFlags(&p)
	cmd := &cobra.Command{
		Use:   "add [NAME] URL",
		Short: "Add a project with its webhook, or replace its settings",
		Long: "Adds a project to the daemon, or replaces all settings of one that was added before. Then the daemon finds out which\n" +
			"forge the repository is at, registers the webhook there with a secret of its own making, and waits for a test delivery;\n" +
			"what it cannot do, it says how to do by hand. Secrets are references, file:/path or env:NAME on the daemon's machine,\n" +
			"never values. docs/projects.md tells more, docs/configuration.md describes each setting.",
		Example: "  runner project add https://github.com/example/api.git --token file:/etc/runner/github-token\n" +
			"  runner project add git@git.example.com:example/api.git --forge gitea --ssh-key file:/k --known-hosts file:/h --forge-token file:/t\n" +
			"  runner project add api https://git.example.com/api.git --webhook off --poll 1m",
		Args: needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := named(&p, args); err != nil {
				return usage(cmd, err)
			}
			if err := written.read(); err != nil {
				return usage(cmd, err)
			}
			if p.Webhook == "" && p.WebhookSecret == "" && !cmd.Flags().Changed("webhook") && !strings.HasPrefix(p.URL, "file:") {
				p.Webhook = config.WebhookAuto
			}
			return a.addProject(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&p.Name, "name", "", "name of the project (default the repository's)")
	projectFlags(cmd, &p)
	webhookFlag(cmd, &p, "auto (default): the daemon registers the webhook; off: it does not")
	written.add(cmd)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// webhookFlag adds --webhook, whose off is no setting.
func webhookFlag(cmd *cobra.Command, p *client.Project, usage string) {
	cmd.Flags().StringVar(&p.Webhook, "webhook", "", usage)
	read := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if p.Webhook == "off" {
			p.Webhook = ""
		}
		return read(cmd, args)
	}
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// named takes name and address from the arguments; a project is called like its repository unless somebody says otherwise.
func named(p *client.Project, args []string) error {
	p.URL = args[len(args)-1]
	switch {
	case len(args) == 2 && p.Name != "" && p.Name != args[0]:
		return fmt.Errorf("the project is called %s, and by --name %s: say it once", args[0], p.Name)
	case len(args) == 2:
		p.Name = args[0]
	case p.Name == "":
		base := path.Base(strings.TrimSuffix(strings.TrimRight(strings.ReplaceAll(p.URL, ":", "/"), "/"), ".git"))
		p.Name = strings.Trim(notInName.ReplaceAllString(base, "-"), "-_")
		if len(p.Name) < 2 {
			return fmt.Errorf("%q gives no name for the project: say one with --name", p.URL)
		}
	}
	return nil
}

func (a *app) addProject(ctx context.Context, p client.Project) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.PutProject(ctx, p); err != nil {
		return err
	}
	saved, err := c.Project(ctx, p.Name)
	if err != nil {
		return err
	}
	if !a.json {
		terminal.Project(a.view(), saved)
	}
	var hook client.Webhook
	if p.Webhook == config.WebhookAuto {
		status := terminal.NewStatus(a.notes())
		status.Set("registering the webhook, and waiting for a test delivery")
		hook, err = c.ConnectWebhook(ctx, p.Name)
		status.End()
		if err != nil {
			return hinted(fmt.Errorf("the project is added, and its webhook is not registered: %w", err), "runner project test-hook %s tries again", p.Name)
		}
	}
	if a.json {
		return terminal.JSON(a.out, struct {
			client.Project
			Hook client.Webhook `json:"hook"`
		}{saved, hook})
	}
	if p.Webhook == config.WebhookAuto {
		a.view().Lines("")
		terminal.Webhook(a.view(), hook)
	}
	next := "next: runner submit --project " + p.Name
	switch {
	case p.Webhook == config.WebhookAuto && hook.State == "registered":
		next += ", or push something"
	case p.Webhook != config.WebhookAuto && p.Poll == "":
		next += ", or point a webhook at the daemon's /hooks/github"
	}
	a.view().Lines("", next)
	return nil
}

func newProjectTestHook(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test-hook PROJECT",
		Short: "Have the forge send a test delivery, and wait for it",
		Long: "Brings the webhook up to date where the daemon keeps it (webhook: auto), has the forge send a test delivery, and\n" +
			"waits until that is in the inbox. Where somebody has to enter the webhook by hand, it says what to enter.",
		Example: "  runner project test-hook api",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			hook, err := c.ConnectWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				err = terminal.JSON(a.out, hook)
			} else {
				terminal.Webhook(a.view(), hook)
			}
			if err == nil && hook.Problem != "" {
				err = statusError(statusFailed)
			}
			return err
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), "0    a delivery arrived, or the forge cannot be asked for one", "1    the webhook is not registered, or nothing arrived", exitTrouble)
}

func newProjectRm(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm PROJECT",
		Short:   "Remove a project with the webhook that was registered for it; its builds stay until their time is over",
		Example: "  runner project rm api",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			p, err := c.Project(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.Managed != "file" && p.Webhook == config.WebhookAuto {
				hook, err := c.RemoveWebhook(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				a.view().Lines(hook.Steps...)
				defer terminal.WebhookTrouble(a.view(), hook)
			}
			if err := c.RemoveProject(cmd.Context(), args[0]); err != nil {
				return err
			}
			a.view().Lines("project " + args[0] + " is removed")
			return nil
		},
	}
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
