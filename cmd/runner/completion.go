package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// completionShells are the shells for which there is a script.
var completionShells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(a *app) *cobra.Command {
	return exits(&cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes commands, flags and live names in a shell",
		Long: "Prints a script for bash, zsh, fish or powershell. With it, Tab completes commands, flags, and what the daemon has: builds\n" +
			"with their status and title, jobs of a build, projects, tokens, secrets, caches, and triggers that wait. The daemon is asked\n" +
			"with a short timeout; where it does not answer, nothing is offered.\n\n" +
			"bash        runner completion bash > /etc/bash_completion.d/runner\n" +
			"            or, for you alone: > ~/.local/share/bash-completion/completions/runner\n" +
			"zsh         runner completion zsh > \"${fpath[1]}/_runner\"; compinit must be on in ~/.zshrc: autoload -U compinit; compinit\n" +
			"fish        runner completion fish > ~/.config/fish/completions/runner.fish\n" +
			"powershell  runner completion powershell >> $PROFILE\n\n" +
			"bash needs the package bash-completion. Open a new shell afterwards.",
		Example:   "  runner completion bash > ~/.local/share/bash-completion/completions/runner\n  source <(runner completion bash)",
		Args:      needs,
		ValidArgs: completionShells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return usage(cmd, fmt.Errorf("there is no completion for %q; there is for %s", args[0], strings.Join(completionShells, ", ")))
		},
	}, exitDone, exitTrouble)
}
