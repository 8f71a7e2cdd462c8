package main

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

// completeWait bounds how long the daemon is asked for names while somebody types.
const completeWait = 800 * time.Millisecond

// manyNames bounds the names of one kind that are offered.
const manyNames = 50

// offer asks the daemon for names. typed is what the word begins with, args are the words before it.
type offer func(ctx context.Context, c *client.Client, args []string, typed string) []cobra.Completion

// completeAll has each command complete its arguments and flags: by the words that its Use line names them with, and by
// the names of flags.
func (a *app) completeAll(cmd *cobra.Command) {
	if words := argumentWords(cmd); cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil && len(words) > 0 {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			word := words[min(len(args), len(words)-1)]
			if len(args) >= len(words) && !repeats(cmd) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.complete(cmd, argumentOffer(cmd, word), args, typed, files(word))
		}
	} else if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { a.completeFlag(cmd, f) })
	if f := cmd.PersistentFlags().Lookup("color"); f != nil {
		_ = cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(terminal.Colors, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, sub := range cmd.Commands() {
		a.completeAll(sub)
	}
}

// argumentWords are the names of a command's arguments: BUILD and JOB of "logs BUILD [JOB]". What stands behind -- is a command
// of somebody else's.
func argumentWords(cmd *cobra.Command) (words []string) {
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if word == foreignCommand {
			break
		}
		words = append(words, strings.Trim(word, "[]…."))
	}
	return words
}

// files says what a shell does with the word of an argument that no name fits.
func files(word string) cobra.ShellCompDirective {
	switch word {
	case "FILE":
		return cobra.ShellCompDirectiveDefault
	case "DIR":
		return cobra.ShellCompDirectiveFilterDirs
	}
	return cobra.ShellCompDirectiveNoFileComp
}

// argumentOffer finds who knows the names for an argument.
func argumentOffer(cmd *cobra.Command, word string) offer {
	switch word {
	case "BUILD", "GREEN", "RED":
		return offerBuilds
	case "BUILD|PROJECT":
		return both(offerBuilds, offerProjects)
	case "PROJECT":
		return offerProjects
	case "JOB":
		return offerJobs
	case "TRIGGER":
		return offerWaiting
	case "ID":
		return offerCaches
	}
	switch parent := cmd.Parent(); {
	case word != "NAME" || parent == nil:
		return nil
	case parent.Name() == "token" && cmd.Name() != "create":
		return offerTokens
	case parent.Name() == "secret":
		return offerSecrets
	}
	return nil
}

// choices are the values of flags that have few.
var choices = map[string][]string{
	"log-format": {"text", "json"}, "log-level": {"debug", "info", "warn", "error"}, "pull": {"always", "if-not-present", "never"},
	"visibility": {"private", "public"}, "approval": {"forks", "all", "none"}, "network": {"open", "private", "none"},
	"network-untrusted": {"open", "private", "none"}, "retry-faults": {"always", "before-commands", "never"},
	"green-before-push": {"off", "untrusted", "on"}, "comment": {"off", "on-failure", "always"}, "webhook": {"auto", "off"},
	"skip-words": {"on", "off"}, "badge": {"token", "off"}, "cancel-superseded": {"true", "false"},
	"forge": {"github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "bitbucket-server"},
}

// choicesOf are the values of flags whose meaning depends on the command.
func choicesOf(cmd *cobra.Command, flag string) []string {
	switch path := cmd.CommandPath() + " --" + flag; path {
	case "runner ls --status":
		return statuses
	case "runner ls --trigger":
		return kinds
	case "runner project add --status", "runner project set --status":
		return []string{"build", "job", "off"}
	case "runner validate --format":
		return []string{"text", "json", "sarif", "github"}
	case "runner plan --format":
		return []string{"text", "json", "mermaid"}
	case "runner token create --scope":
		return []string{"read", "submit", "admin", "feed"}
	case "runner shell --at":
		return []string{"failed", "running"}
	case "runner run --engine":
		return []string{"docker", "process"}
	}
	return choices[flag]
}

// completeFlag has the value of a flag completed. A flag without one of its own takes files, if its value is called so.
func (a *app) completeFlag(cmd *cobra.Command, f *pflag.Flag) {
	if f.Value.Type() == "bool" {
		return
	}
	do := func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, files(rowOf(f).word)
	}
	switch few := choicesOf(cmd, f.Name); {
	case few != nil:
		do = cobra.FixedCompletions(few, cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "project":
		do = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.complete(cmd, offerProjects, args, typed, cobra.ShellCompDirectiveNoFileComp)
		}
	case f.Name == "job":
		do = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.complete(cmd, offerJobs, args, typed, cobra.ShellCompDirectiveNoFileComp)
		}
	}
	if do != nil {
		_ = cmd.RegisterFlagCompletionFunc(f.Name, do) // fails for a flag that has one
	}
}

// plainName is a name that no shell does anything with. Others are not offered: a shell would put them into the command line.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/#:@+=,-]*$`)

// complete asks the daemon, and is silent when that does not answer.
func (a *app) complete(cmd *cobra.Command, from offer, args []string, typed string, otherwise cobra.ShellCompDirective) ([]cobra.Completion, cobra.ShellCompDirective) {
	if from == nil {
		return nil, otherwise
	}
	c, err := a.client()
	if err != nil {
		return nil, otherwise
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	out := slices.DeleteFunc(from(ctx, c, args, typed), func(found cobra.Completion) bool {
		name, _, _ := strings.Cut(found, "\t")
		return !strings.HasPrefix(name, typed) || !plainName.MatchString(name)
	})
	return out[:min(len(out), manyNames)], otherwise | cobra.ShellCompDirectiveKeepOrder
}

// described is a name with what there is to say of it, which others wrote.
func described(name, about string) cobra.Completion {
	const most = 60
	runes := []rune(terminal.OneLine(about))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return cobra.CompletionWithDesc(name, string(runes))
}

func both(offers ...offer) offer {
	return func(ctx context.Context, c *client.Client, args []string, typed string) (out []cobra.Completion) {
		for _, from := range offers {
			out = append(out, from(ctx, c, args, typed)...)
		}
		return out
	}
}

// offerBuilds offers the newest builds, written as the word that was begun is.
func offerBuilds(ctx context.Context, c *client.Client, args []string, typed string) (out []cobra.Completion) {
	o := client.ListOptions{Limit: manyNames}
	slash := strings.Contains(typed, "/")
	if at := strings.IndexAny(typed, "#/"); at > 0 {
		o.Project = typed[:at]
	}
	page, err := c.Builds(ctx, o)
	if err != nil {
		return nil
	}
	for _, b := range page.Items {
		id := b.ID
		if slash {
			id = strings.Replace(id, "#", "/", 1)
		}
		if !slices.Contains(args, id) {
			out = append(out, described(id, b.Status+"  "+b.Title))
		}
	}
	return out
}

func offerProjects(ctx context.Context, c *client.Client, _ []string, _ string) (out []cobra.Completion) {
	projects, _ := c.Projects(ctx)
	for _, p := range projects {
		out = append(out, described(p.Name, p.URL))
	}
	return out
}

// offerJobs offers the jobs of the build that the first argument names.
func offerJobs(ctx context.Context, c *client.Client, args []string, _ string) (out []cobra.Completion) {
	if len(args) == 0 {
		return nil
	}
	id, err := buildID(ctx, c, args[len(args)-1])
	if len(args) > 0 && err != nil {
		id, err = buildID(ctx, c, args[0])
	}
	if err != nil {
		return nil
	}
	b, err := c.Build(ctx, id)
	if err != nil {
		return nil
	}
	for _, j := range b.Jobs {
		out = append(out, described(j.ID, j.Status+"  "+j.Name))
	}
	return out
}

func offerWaiting(ctx context.Context, c *client.Client, _ []string, _ string) (out []cobra.Completion) {
	page, _ := c.Triggers(ctx, client.ListOptions{Outcome: "waiting", Limit: manyNames})
	for _, t := range page.Items {
		out = append(out, described(t.ID, strings.Join(t.Projects, " ")+"  "+t.Title))
	}
	return out
}

func offerTokens(ctx context.Context, c *client.Client, _ []string, _ string) (out []cobra.Completion) {
	tokens, _ := c.Tokens(ctx)
	for _, t := range tokens {
		out = append(out, described(t.Name, t.Scope+" for "+strings.Join(t.Projects, " ")))
	}
	return out
}

func offerSecrets(ctx context.Context, c *client.Client, _ []string, _ string) (out []cobra.Completion) {
	secrets, _ := c.Secrets(ctx, "")
	for _, s := range secrets {
		out = append(out, described(s.Name, "of "+s.Project))
	}
	return out
}

func offerCaches(ctx context.Context, c *client.Client, args []string, _ string) (out []cobra.Completion) {
	caches, _ := c.Caches(ctx)
	for _, x := range caches {
		if !slices.Contains(args, x.ID) {
			out = append(out, described(x.ID, x.Scope+"  "+terminal.Size(x.Bytes)))
		}
	}
	return out
}
