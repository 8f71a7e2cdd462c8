package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec"
)

func newSchema(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of buildspec.yml, for editors",
		Long: "Prints the JSON Schema (draft 2020-12) of the language as this release reads it. An editor that has it completes keys\n" +
			"and marks mistakes as you type. For those that use yaml-language-server (VS Code's YAML extension, Neovim, Helix,\n" +
			"IntelliJ), store it and name it in the first line of the buildspec, which CodeBuild takes for a comment:\n\n" +
			"  # yaml-language-server: $schema=./buildspec.schema.json\n\n" +
			"or name it for all buildspecs in VS Code's settings.json:\n\n" +
			"  \"yaml.schemas\": {\"./buildspec.schema.json\": [\"buildspec.yml\", \"buildspec*.yml\"]}\n\n" +
			"An editor cannot know all that runner validate does.",
		Example: "  runner schema >buildspec.schema.json",
		Args:    needs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(buildspec.Schema())
			return err
		},
	}
	return exits(cmd, exitDone, "2    trouble: wrong usage, standard output cannot be written")
}
