package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newShell(a *app) *cobra.Command {
	var o client.ShellOptions
	cmd := &cobra.Command{
		Use:   "shell BUILD [-- COMMAND...]",
		Short: "Open a shell in a job's own container and workspace",
		Long: "Opens a shell in the container and workspace of a job: beside its commands while it runs or waits at a\n" +
			"breakpoint, and for hours after it failed, in what is kept of it (keep-failed). The job is not run again, and\n" +
			"secrets are not given again. With a COMMAND that runs instead, and its input is this command's.\n\n" +
			"On a terminal the shell has one; otherwise input, output and errors are passed on as they are. It ends after 30\n" +
			"minutes in which nothing was said, and after 8 hours.\n\n" + buildArg,
		Example: "  runner shell api#142 --at failed            # look at what the failed job left\n" +
			"  runner shell api#142 --at failed -- go test ./store -run TestOpen -v\n" +
			"  runner shell api --job e2e                  # beside the commands of a job that runs\n" +
			"  runner shell api#142 --at failed -- tar c . | tar x -C /tmp/failed",
		Args: shellArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Command = args[1:]
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				return a.shell(cmd.Context(), c, id, o)
			})
		},
	}
	cmd.Flags().StringVar(&o.Job, "job", "", "id of the job (default: the only one that there is to go into)")
	cmd.Flags().StringVar(&o.At, "at", "", "running, or failed: in what is kept of a job that failed (default: where the job is)")
	return exits(a.remote(cmd), "N    the exit status of the shell or COMMAND", "2    also trouble: wrong usage, no daemon, no token, nothing to go into", "130  interrupted")
}

// shellArgs takes a build, and what stands behind -- as a command.
func shellArgs(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return errors.New("BUILD is missing: " + useLine(cmd))
	case dash < 0 && len(args) > 1, dash > 1:
		return fmt.Errorf("%q is one argument too many; write a command behind --", args[1])
	case dash == 1 && len(args) == 1:
		return errors.New("there is no command behind --")
	}
	if at, _ := cmd.Flags().GetString("at"); at != "" && at != "running" && at != "failed" {
		return fmt.Errorf("--at is %q, expected running or failed", at)
	}
	return nil
}

// shell opens a shell and has it until it ends. The terminal is as before whatever happens.
func (a *app) shell(ctx context.Context, c *client.Client, id string, o client.ShellOptions) error {
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	in, out := a.in.Fd(), a.out.Fd()
	if o.TTY = term.IsTerminal(in) && term.IsTerminal(out); o.TTY {
		o.Size, o.Term = terminalSize(out), os.Getenv("TERM")
	}
	s, err := c.OpenShell(ctx, id, o)
	if err != nil {
		return err
	}
	defer s.Close()
	if len(o.Command) == 0 && term.IsTerminal(a.err.Fd()) {
		terminal.ShellPlace(a.output(a.err), id, s.ShellBegan)
	}
	restore, err := rawTerminal(o.TTY, in)
	if err != nil {
		return err
	}
	defer restore()
	guarded := func(do func()) {
		defer func() {
			if p := recover(); p != nil {
				restore()
				panic(p)
			}
		}()
		do()
	}
	go guarded(func() { passInput(s, a.in) })
	if o.TTY {
		go guarded(func() { followSize(ctx, out, o.Size, func(size client.ShellSize) { _ = s.Resize(size) }) })
	}
	over, err := s.Copy(a.out, a.err)
	restore()
	switch {
	case ctx.Err() != nil:
		return statusError(statusInterrupted)
	case err != nil:
		return hinted(err, "open another one: runner shell %s", id)
	case over.Reason != "":
		return hinted(fmt.Errorf("the shell was ended: %s", over.Reason), "runner shell %s opens another one, as long as the sandbox is there", id)
	case over.Exit != 0:
		return statusError(over.Exit)
	}
	return nil
}

// rawTerminal has a terminal pass every key on, until the returned function is called, which may be more than once.
func rawTerminal(on bool, fd uintptr) (restore func(), err error) {
	if !on {
		return func() {}, nil
	}
	was, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("preparing the terminal: %w", err)
	}
	return sync.OnceFunc(func() { _ = term.Restore(fd, was) }), nil
}

// passInput sends the input until it ends.
func passInput(s *client.Shell, in io.Reader) {
	if _, err := io.Copy(s, in); err == nil {
		_ = s.CloseInput()
	}
}

// terminalSize is the size of a terminal, as far as it tells.
func terminalSize(fd uintptr) client.ShellSize {
	cols, rows, err := term.GetSize(fd)
	if err != nil || cols <= 0 || rows <= 0 {
		return client.ShellSize{Cols: 80, Rows: 24}
	}
	return client.ShellSize{Cols: uint(min(cols, 2000)), Rows: uint(min(rows, 2000))}
}
