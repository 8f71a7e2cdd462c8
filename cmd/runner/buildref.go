package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

// buildArg describes the argument that buildID reads.
const buildArg = "BUILD is api#142, api/142, the address of its page, 142 for a build of the project whose repository is a remote\nhere, or api for the project's latest build."

// buildHint says how builds are written.
const buildHint = "write api#142, api/142, 142 in a clone of the project's repository, the address of its page, or api for the latest"

// buildID turns what a person writes into a build's id.
func buildID(ctx context.Context, c *client.Client, arg string) (string, error) {
	name, err := readBuildName(arg)
	if err != nil {
		return "", err
	}
	if name.project == "" {
		if name.project, err = projectHere(ctx, c, "", "%s#"+strconv.Itoa(name.number)); err != nil {
			return "", err
		}
	}
	if name.number > 0 {
		return name.id(), nil
	}
	page, err := c.Builds(ctx, client.ListOptions{Project: name.project, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		if _, err := c.Project(ctx, name.project); err != nil {
			return "", err
		}
		return "", hinted(fmt.Errorf("project %q has no builds", name.project), "runner ls shows all builds, runner project ls all projects")
	}
	return page.Items[0].ID, nil
}

// buildName is what an argument says of a build.
type buildName struct {
	project string // empty: the one of the repository here
	number  int    // 0: the latest
}

func (n buildName) id() string { return n.project + "#" + strconv.Itoa(n.number) }

// readBuildName reads an argument that names a build.
func readBuildName(arg string) (buildName, error) {
	if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
		return buildOfPage(arg)
	}
	bare := strings.TrimPrefix(arg, "#")
	if number, err := strconv.Atoi(bare); err == nil && number > 0 {
		return buildName{number: number}, nil
	}
	id := arg
	if project, number, ok := strings.Cut(arg, "/"); ok {
		id = project + "#" + number
	}
	if !strings.Contains(id, "#") {
		return buildName{project: id}, nil
	}
	project, number, err := client.SplitBuildID(id)
	if err != nil {
		return buildName{}, hinted(err, buildHint)
	}
	return buildName{project, number}, nil
}

// buildOfPage reads the address of a page of a build or of its project, or that of the build in the API.
func buildOfPage(address string) (buildName, error) {
	u, err := url.Parse(address)
	if err != nil {
		return buildName{}, hinted(fmt.Errorf("%q is no address: %w", address, err), buildHint)
	}
	parts := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i := range parts {
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return buildName{}, hinted(fmt.Errorf("%q is no address: %w", address, err), buildHint)
		}
	}
	for i := range parts {
		rest := parts[i:]
		switch {
		case len(rest) >= 4 && rest[0] == "projects" && rest[2] == "builds":
			if number, err := strconv.Atoi(rest[3]); err == nil && number > 0 {
				return buildName{rest[1], number}, nil
			}
		case len(rest) == 2 && rest[0] == "projects" && rest[1] != "":
			return buildName{project: rest[1]}, nil
		case len(rest) >= 3 && rest[0] == "builds":
			if number, err := strconv.Atoi(rest[2]); err == nil && number > 0 {
				return buildName{rest[1], number}, nil
			}
		}
	}
	return buildName{}, hinted(fmt.Errorf("%q is not the address of a build's page", address), "it ends like /projects/api/builds/142")
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
