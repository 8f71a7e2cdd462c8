package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/client"
)

// buildArg describes the argument that buildID reads.
const buildArg = "BUILD is api#142, api/142, or api for the project's latest build."

// buildID turns what a person writes into a build's id.
func buildID(ctx context.Context, c *client.Client, arg string) (string, error) {
	id := arg
	if project, number, ok := strings.Cut(arg, "/"); ok {
		id = project + "#" + number
	}
	if strings.Contains(id, "#") {
		if _, _, err := client.SplitBuildID(id); err != nil {
			return "", hinted(err, "write api#142, api/142, or api for the latest")
		}
		return id, nil
	}
	page, err := c.Builds(ctx, client.ListOptions{Project: arg, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		if _, err := c.Project(ctx, arg); err != nil {
			return "", err
		}
		return "", hinted(fmt.Errorf("project %q has no builds", arg), "runner ls shows all builds, runner project ls all projects")
	}
	return page.Items[0].ID, nil
}

// onBuild connects, finds the build that an argument names, and calls do.
func (a *app) onBuild(ctx context.Context, arg string, do func(c *client.Client, id string) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	id, err := buildID(ctx, c, arg)
	if err != nil {
		return err
	}
	return do(c, id)
}
