package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/terminal"
)

// app is one invocation: where it reads and writes, and the flags that several commands have.
type app struct {
	in       *os.File
	out, err *os.File
	url      string
	json     bool
	color    string // auto, always, never
}

// view is standard output as a place to show results.
func (a *app) view() *terminal.Output { return a.output(a.out) }

// output is a place to show something, with colours as they were asked for.
func (a *app) output(f *os.File) *terminal.Output {
	return terminal.NewColored(f, terminal.Color(a.color))
}

// notes is where a command tells of what it does besides its result: standard output, unless that is kept for JSON.
func (a *app) notes() *terminal.Output {
	if a.json {
		return a.output(a.err)
	}
	return a.view()
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "runner",
		Short:         "A CodeBuild of your own: builds from webhooks and working trees, in Docker",
		Long:          "Runner turns a machine with a Docker engine into a CodeBuild of your own. It reads an unmodified\nbuildspec.yml, runs its phases in containers, and keeps logs and artifacts.",
		Example:       "  runner run                      # build this directory, with no daemon\n  runner serve                    # start the daemon\n  runner submit                   # send this directory to it, dirty files included\n  runner show api#142             # what became of a build, cause first\n  runner diff api#142             # what is different from the last one that was green",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(helpTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	root.CompletionOptions.DisableDefaultCmd = true
	a.colorFlag(root)
	root.AddGroup(&cobra.Group{ID: groupBuild, Title: "BUILDS"}, &cobra.Group{ID: groupDaemon, Title: "THE DAEMON"})
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupBuild, []*cobra.Command{
			newInit(a), newValidate(a), newPlan(a), newRun(a), newSubmit(a), newStart(a), newLs(a), newWatch(a), newShow(a), newExplain(a), newLogs(a), newArtifacts(a), newTests(a), newDiff(a), newOpen(a), newRetry(a), newStop(a), newResume(a), newShell(a),
		}},
		{groupDaemon, []*cobra.Command{
			newServe(a), newLogin(a), newToken(a), newAudit(a), newProject(a), newSecret(a), newTriggers(a), newInbox(a), newSchedules(a), newApprove(a), newCaches(a), newStatus(a), newDrain(a), newBackup(a), newRestore(a), newCheck(a), newDoctor(a), newSchema(a), newOpenAPI(a), newMan(a), newCompletion(a), newVersion(a),
		}},
	} {
		for _, c := range group.commands {
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	checkArguments(root)
	a.completeAll(root)
	return root
}

const (
	groupBuild  = "build"
	groupDaemon = "daemon"
)

// checkArguments makes wrong arguments of every command a usage error.
func checkArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			switch near := nearCommand(cmd, args); {
			case err == nil:
				return nil
			case near != "":
				return hinted(err, "did you mean %s?", near)
			}
			return usage(cmd, err)
		}
	}
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
	}
}

// nearCommand is the command below cmd that is written much like the first argument, or "".
func nearCommand(cmd *cobra.Command, args []string) string {
	if !cmd.HasAvailableSubCommands() || len(args) == 0 {
		return ""
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return cmd.CommandPath() + " " + near[0]
	}
	return ""
}

// jsonFlag adds --json to a command that prints data.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
}

// remote marks a command as one that speaks to the daemon: it takes --url, and its help names the variables.
func (a *app) remote(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&a.url, "url", "", "address of the daemon (default: RUNNER_URL, runner login, or this machine's)")
	annotate(cmd, "environment", "RUNNER_URL      address of the daemon\nRUNNER_TOKEN    token for it; otherwise the one that runner login stored")
	return cmd
}

// exits documents a command's exit statuses.
func exits(cmd *cobra.Command, lines ...string) *cobra.Command {
	annotate(cmd, "exit", strings.Join(lines, "\n"))
	return cmd
}

func annotate(cmd *cobra.Command, key, text string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	if old := cmd.Annotations[key]; old != "" {
		text = old + "\n" + text
	}
	cmd.Annotations[key] = text
}

// The exit statuses that several commands share.
const (
	exitDone    = "0    done"
	exitBuilt   = "0    the build SUCCEEDED"
	exitFailed  = "1    the build ended FAILED, TIMED_OUT or STOPPED"
	exitTrouble = "2    trouble: wrong usage, no daemon, no token, a FAULT"
)

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}USAGE
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [flags]{{if takesArguments .}}
  {{useLine .}}{{end}}{{else}}{{useLine .}}{{end}}
{{- if .HasExample}}

EXAMPLES
{{.Example}}{{end}}
{{- if .HasAvailableSubCommands}}
{{- $cmds := .Commands}}{{if .Groups}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{else}}

COMMANDS{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

"{{.CommandPath}} COMMAND --help" says more about a command.{{end}}
{{- with flagUsages .}}

FLAGS
{{.}}{{end}}
{{- with environment .}}

ENVIRONMENT
{{indent .}}{{end}}
{{- with index .Annotations "exit"}}

EXIT STATUS
{{indent .}}{{end}}
`

func init() {
	cobra.EnableCommandSorting = false // they come in the order in which they are met
	cobra.AddTemplateFunc("flagUsages", flagUsages)
	cobra.AddTemplateFunc("useLine", useLine)
	cobra.AddTemplateFunc("takesArguments", func(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " ") })
	cobra.AddTemplateFunc("environment", environment)
	cobra.AddTemplateFunc("indent", func(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") })
}
