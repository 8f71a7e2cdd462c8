package main

import (
	"context"
	"fmt"
	"os"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

// follow shows the build as `runner submit` would, then what it left, and returns the exit status.
func (s *stage) follow(ctx context.Context, build string) (int, error) {
	c := client.New(s.url, s.token)
	out := terminal.New(os.Stdout)
	fmt.Println()
	if _, err := terminal.Follow(ctx, c, build, out); err != nil {
		return 0, fmt.Errorf("following %s: %w", build, err)
	}
	b, err := c.Build(ctx, build)
	if err != nil {
		return 0, err
	}
	sets, err := c.Artifacts(ctx, build)
	if err != nil {
		return 0, err
	}
	fmt.Println()
	terminal.Summary(out, b, sets)
	out.Lines(
		"next        bin/runner init && bin/runner run in any repository: a first buildspec.yml, and its build, no daemon",
		"            bin/runner serve, then docs/configuration.md: projects, webhooks, limits",
		"            bin/runner submit: a dirty working tree through the daemon; runner --help has the rest",
		"", terminal.Verdict(b))
	if b.Status != "SUCCEEDED" {
		return 1, nil
	}
	return 0, nil
}
