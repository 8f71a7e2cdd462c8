package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/runner-ci/runner/client"
)

// chooseProject finds the project that a working tree belongs to: the one whose repository is the tree's remote, or
// the only one there is. The hint says how to name one.
func chooseProject(ctx context.Context, c *client.Client, remote, hint string) (string, error) {
	projects, err := c.Projects(ctx)
	if err != nil {
		return "", err
	}
	if len(projects) == 0 {
		return "", hinted(errors.New("the daemon has no projects"), "add this repository: runner project add URL")
	}
	var matching, all []string
	for _, p := range projects {
		all = append(all, p.Name)
		if remote != "" && sameRepository(p.URL) == sameRepository(remote) {
			matching = append(matching, p.Name)
		}
	}
	switch {
	case len(matching) == 1:
		return matching[0], nil
	case len(matching) > 1:
		return "", hinted(fmt.Errorf("several projects build this repository: %s", strings.Join(matching, ", ")), "name one: "+hint, matching[0])
	case len(all) == 1:
		return all[0], nil
	}
	return "", hinted(fmt.Errorf("no project builds the remote of this repository; there are %s", strings.Join(all, ", ")), "name one: "+hint, all[0])
}

// sameRepository reduces an address to what is the same in all addresses of one repository: host and path. Thus
// git@github.com:o/r.git and https://github.com/o/r are one.
func sameRepository(address string) string {
	host, path := "", address
	if u, err := url.Parse(address); err == nil && u.Scheme != "" && strings.Contains(address, "://") {
		host, path = u.Hostname(), u.Path
		if port := u.Port(); port != "" && u.Scheme != "ssh" {
			host += ":" + port
		}
	} else if before, after, ok := strings.Cut(address, ":"); ok && !strings.Contains(before, "/") {
		host, path = before[strings.LastIndex(before, "@")+1:], after
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	return strings.ToLower(host) + "/" + strings.Trim(path, "/")
}
