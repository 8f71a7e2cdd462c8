// Command runner is a continuous integration daemon and its client in one binary. A file here is a subcommand:
// flags in, calls out.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run()) }

// run is main with its exit status returned, so that tests can run it as a command.
func run() int {
	if status, is := internalProcess(os.Args); is {
		return status
	}
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	cmd := newRoot(a)
	cmd.SetArgs(os.Args[1:])
	return a.exit(cmd.ExecuteContext(context.Background()))
}
