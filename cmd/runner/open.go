package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newOpen(a *app) *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Use:   "open [BUILD|PROJECT]",
		Short: "Open the page of a build, of a project, or the home page in the browser",
		Long: "Opens a page of the daemon in the browser. Where there is none, or the output is no terminal, it prints the page's address\n" +
			"and opens nothing.\n\nBUILD is api#142, api/142, or 142 for a build of the project whose repository is a remote here.",
		Example: "  runner open\n  runner open api\n  runner open api#142\n  xdg-open \"$(runner open api#142 --print)\"",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := a.page(cmd.Context(), args)
			if err != nil {
				return err
			}
			o := a.view()
			if print || !o.Live() {
				o.Lines(address)
				return nil
			}
			if err := browse(cmd.Context(), address); err != nil {
				o.Lines(address)
				fmt.Fprintf(a.err, "no browser was opened: %v\n", err)
				return nil
			}
			o.Lines("opened    " + address)
			return nil
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the address, and open nothing")
	return exits(a.remote(cmd), "0    the page was opened, or its address printed", exitTrouble)
}

// page is the address of the page that is meant. The daemon is asked for no more than which project is meant by a number.
func (a *app) page(ctx context.Context, args []string) (string, error) {
	base, err := a.address()
	if err != nil || len(args) == 0 {
		return base + "/", err
	}
	name, err := readBuildName(args[0])
	if err != nil {
		return "", err
	}
	if name.project == "" {
		c, err := a.client()
		if err != nil {
			return "", err
		}
		if name.project, err = projectHere(ctx, c, "", "runner open %s#"+strconv.Itoa(name.number)); err != nil {
			return "", err
		}
	}
	page := base + "/projects/" + url.PathEscape(name.project)
	if name.number > 0 {
		page += "/builds/" + strconv.Itoa(name.number)
	}
	return page, nil
}

// browserWait is how long a program that opens pages is waited for: one that is the browser itself does not end.
const browserWait = 3 * time.Second

// browse has the desktop open an address, or says why it did not.
func browse(ctx context.Context, address string) error {
	program, args := opener(runtime.GOOS, os.Getenv)
	if program == "" {
		return errors.New("there is no desktop here: DISPLAY and WAYLAND_DISPLAY are not set")
	}
	cmd := exec.Command(program, append(args, address)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		return nil
	case <-time.After(browserWait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// opener is the program of an operating system that opens addresses in the browser; "" where there is no desktop.
func opener(system string, env func(string) string) (program string, args []string) {
	switch system {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	}
	if browser := strings.TrimSpace(env("BROWSER")); browser != "" && !strings.ContainsAny(browser, ":%") {
		words := strings.Fields(browser)
		return words[0], words[1:]
	}
	if env("DISPLAY") == "" && env("WAYLAND_DISPLAY") == "" {
		return "", nil
	}
	return "xdg-open", nil
}
