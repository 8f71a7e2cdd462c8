package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// needs makes a command take exactly the arguments that its Use line names.
func needs(cmd *cobra.Command, args []string) error {
	_, words, _ := strings.Cut(cmd.Use, " ")
	names := strings.Fields(words)
	switch {
	case len(args) < len(names):
		return fmt.Errorf("%s is missing: %s %s", names[len(args)], cmd.CommandPath(), words)
	case len(args) > len(names):
		return fmt.Errorf("%q is one argument too many: %s %s", args[len(names)], cmd.CommandPath(), words)
	}
	return nil
}
