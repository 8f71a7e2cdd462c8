package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newLogin(a *app) *cobra.Command {
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Store the address and token of a daemon for the commands here",
		Long: "Asks for the daemon's token, checks it with the daemon, and stores both in client.json below\n" +
			"$XDG_CONFIG_HOME/runner (or ~/.config/runner), readable by you only. When standard input is no terminal, the token is\n" +
			"read from it. The daemon keeps its token in the file token of its data directory. On the daemon's own machine no\n" +
			"login is needed by those who can read that file in its default place.",
		Example: "  runner login https://ci.example.com\n  runner login http://127.0.0.1:8080 --token-file /var/lib/runner/token\n  ssh ci cat /var/lib/runner/token | runner login https://ci.example.com",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := cleanURL(args[0])
			if err != nil {
				return err
			}
			token, err := a.readToken(tokenFile)
			if err != nil {
				return err
			}
			return a.login(cmd.Context(), address, token)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "read the token from this `FILE`")
	a.jsonFlag(cmd)
	annotate(cmd, "environment", "XDG_CONFIG_HOME where client.json is kept, in the folder runner")
	return exits(cmd, exitDone, "2    trouble: no daemon there, or it refuses the token")
}

// login checks a token with the daemon and stores it.
func (a *app) login(ctx context.Context, address, token string) error {
	d, err := connect(address, token).Daemon(ctx)
	if err != nil {
		var refused *client.Error
		if errors.As(err, &refused) && refused.Status == 401 {
			return hinted(fmt.Errorf("the daemon at %s refuses this token", address), "the right one is in the file token of its data directory")
		}
		return err
	}
	stored, err := readCredentials()
	if err != nil {
		return err
	}
	stored.URL, stored.Tokens[address] = address, token
	path, err := stored.write()
	if err != nil {
		return err
	}
	if a.json {
		return terminal.JSON(a.out, d)
	}
	a.view().Lines(
		fmt.Sprintf("logged in to %s, runner %s", address, d.Version),
		"stored in "+path,
	)
	return nil
}

// maxToken bounds what is read as a token, in bytes.
const maxToken = 4096

// readToken takes the token from a file, a pipe, or the keyboard, where it is not shown.
func (a *app) readToken(file string) (string, error) {
	var text []byte
	var err error
	switch {
	case file != "":
		if text, err = os.ReadFile(file); err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
	case term.IsTerminal(a.in.Fd()):
		fmt.Fprint(a.err, "token: ")
		text, err = term.ReadPassword(a.in.Fd())
		fmt.Fprintln(a.err)
	default:
		text, err = io.ReadAll(io.LimitReader(a.in, maxToken+1))
	}
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case token == "":
		return "", hinted(errors.New("no token was given"), "type it, pipe it in, or name its file with --token-file")
	case len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("this is no token: a token is one word of letters, digits and signs")
	}
	return token, nil
}
