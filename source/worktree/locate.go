package worktree

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// place is where a working tree and the files of its repository lie.
type place struct {
	root, index, shallow string
}

// locate finds the repository that dir lies in.
func locate(ctx context.Context, dir string) (place, error) {
	out, err := call{dir: dir}.run(ctx, "rev-parse", "--show-toplevel", "--git-path", "index", "--git-path", "shallow")
	if err != nil {
		return place{}, err
	}
	lines := strings.Split(strings.ReplaceAll(out, "\r\n", "\n"), "\n")
	if len(lines) != 3 || lines[0] == "" {
		return place{}, &Error{Message: fmt.Sprintf("git does not say where the repository of %s is: %q", dir, out)}
	}
	at := func(path string) string {
		if path = filepath.FromSlash(path); filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	return place{filepath.FromSlash(lines[0]), at(lines[1]), at(lines[2])}, nil
}

// state fills in what HEAD is and what the configuration says; each is a process of git's, so they run side by side.
func (t *Tree) state(ctx context.Context) error {
	c := call{dir: t.Root}
	var set settings
	var group errgroup.Group
	group.Go(func() error {
		said, err := c.run(ctx, "show", "-s", "--no-show-signature", "--format=%H %ct", "HEAD")
		if err != nil {
			return ctx.Err() // no commit yet
		}
		t.Head, t.when, _ = strings.Cut(said, " ")
		return nil
	})
	group.Go(func() error {
		branch, err := c.run(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
		if err != nil {
			return ctx.Err() // detached
		}
		t.Branch = branch
		return nil
	})
	group.Go(func() error {
		set = c.settings(ctx)
		return ctx.Err()
	})
	if err := group.Wait(); err != nil {
		return context.Cause(ctx)
	}
	t.name, t.email = set.last("user.name"), set.last("user.email")
	t.RemoteURL = c.remote(ctx, set, t.Branch)
	return nil
}

// settings are values of git's configuration by name, in their order.
type settings map[string][]string

func (s settings) last(name string) string {
	if all := s[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// settings reads what a submit needs of the configuration.
func (c call) settings(ctx context.Context) settings {
	out, err := c.run(ctx, "config", "-z", "--get-regexp", `^(user\.(name|email)|remote\..*\.url|branch\..*\.remote|url\..*\.insteadof)$`)
	if err != nil {
		return nil // nothing is set
	}
	all := make(settings)
	for entry := range strings.SplitSeq(out, "\x00") {
		name, value, _ := strings.Cut(entry, "\n")
		all[name] = append(all[name], value)
	}
	return all
}

// remote finds the URL of the remote that a branch follows, else of origin, else of the only one.
func (c call) remote(ctx context.Context, set settings, branch string) string {
	var names []string
	replaced := false
	for key := range set {
		if name, ok := strings.CutPrefix(key, "remote."); ok {
			names = append(names, strings.TrimSuffix(name, ".url"))
		}
		replaced = replaced || strings.HasPrefix(key, "url.")
	}
	candidates := []string{set.last("branch." + branch + ".remote"), "origin"}
	if len(names) == 1 {
		candidates = append(candidates, names[0])
	}
	for _, name := range candidates {
		if !slices.Contains(names, name) {
			continue
		}
		raw := set["remote."+name+".url"][0]
		if replaced { // url.<base>.insteadOf
			if said, err := c.run(ctx, "remote", "get-url", name); err == nil {
				raw = said
			}
		}
		return withoutCredentials(raw)
	}
	return ""
}

// withoutCredentials drops user and password from a URL. A user of ssh is part of the address.
func withoutCredentials(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.User != nil && u.Scheme != "ssh" {
		u.User = nil
		return u.String()
	}
	return raw
}

// RemoteOf is the RemoteURL of the repository that dir lies in, "" when it lies in none or has no remote.
func RemoteOf(ctx context.Context, dir string) string {
	at, err := locate(ctx, dir)
	if err != nil {
		return ""
	}
	t := Tree{Root: at.root}
	if t.state(ctx) != nil {
		return ""
	}
	return t.RemoteURL
}
