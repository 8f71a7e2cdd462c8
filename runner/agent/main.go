package agent

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/runner/wire"
)

// Version is the release of the agent, set when the binary is linked.
var Version = "dev"

// DefaultSpool and DefaultHome are where the agent keeps its record and its files unless told otherwise.
const (
	DefaultSpool = "/codebuild/spool"
	DefaultHome  = "/codebuild"
)

// options are the flags of one run.
type options struct {
	spool, home, in, out string
}

// tools are the programs that the agent is under other names.
var tools = map[string]func(args []string) int{
	"codebuild-tests-run":   testsRun,
	"codebuild-glob-search": globSearch,
	"codebuild-breakpoint":  breakpoint,
	"codebuild-resume":      resume,
	"codebuild-hash-files":  hashFiles,
}

// IsTool tells whether a program name, with or without a directory, is one of the tools that Main runs.
func IsTool(name string) bool {
	_, ok := tools[filepath.Base(name)]
	return ok
}

// Main runs the agent, or a tool, and returns the exit status of the process. args[0] is the name it was called
// by. A larger binary that serves as an agent must call Main first thing when IsTool(os.Args[0]).
func Main(args []string) int {
	if len(args) > 0 && IsTool(args[0]) {
		return tools[filepath.Base(args[0])](args[1:])
	}
	if len(args) > 1 && args[1] == wire.BuilderEngine {
		return builderEngine(args[2:])
	}
	if len(args) == 3 && args[1] == wire.EndShell {
		return endShell(args[2])
	}
	opts, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "agent:", err)
		return 2
	}
	return serve(opts)
}

func parseFlags(args []string) (options, error) {
	var opts options
	set := flag.NewFlagSet("agent", flag.ContinueOnError)
	set.StringVar(&opts.spool, "spool", DefaultSpool, "`directory` of the job's record")
	set.StringVar(&opts.home, "home", DefaultHome, "`directory` for the agent's tools and files")
	set.StringVar(&opts.in, "in", "", "`FIFO` to read from instead of standard input")
	set.StringVar(&opts.out, "out", "", "`FIFO` to write to instead of standard output")
	if err := set.Parse(args[min(1, len(args)):]); err != nil {
		return opts, err
	}
	if set.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if (opts.in == "") != (opts.out == "") {
		return opts, errors.New("-in and -out belong together")
	}
	return opts, nil
}
