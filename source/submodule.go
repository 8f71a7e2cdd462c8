package source

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/config"

	"github.com/runner-ci/runner/source/pack"
)

// Bounds on submodules: how deep they nest, how many one tree has.
const (
	maxModuleDepth = 10
	maxModules     = 500
	maxModulesFile = 1 << 20
)

// modulesBelow lists the repositories that make up a tree: its own, then its submodules', fetched into their own
// mirrors, parents first.
func (s *Store) modulesBelow(ctx context.Context, r Remote, commit string, deep bool) ([]module, error) {
	l, err := locate(r.URL)
	if err != nil {
		return nil, err
	}
	all := []module{{URL: l.String(), Commit: commit}}
	if !deep {
		return all, nil
	}
	remotes := []Remote{r}
	depth := []int{0}
	for i := 0; i < len(all); i++ {
		res, err := s.do(ctx, &request{Op: "modules", URL: all[i].URL, Commit: all[i].Commit})
		if err != nil {
			return nil, err
		}
		for _, m := range res.Modules {
			m.Path = path.Join(all[i].Path, m.Path)
			if depth[i] == maxModuleDepth || len(all) == maxModules {
				return nil, fail(KindSubmodule, "use fewer", "there are more than %d submodules, or they nest deeper than %d", maxModules, maxModuleDepth)
			}
			sub, err := s.fetchModule(ctx, remotes[i], m)
			if err != nil {
				return nil, err
			}
			m.URL, _ = canonical(sub.URL)
			all, remotes, depth = append(all, m), append(remotes, sub), append(depth, depth[i]+1)
		}
	}
	return all, nil
}

func canonical(raw string) (string, error) {
	l, err := locate(raw)
	return l.String(), err
}

// fetchModule gets a submodule's commit. The remote is asked even if the mirror has it: that the mirror has it does
// not mean that these credentials may read it.
func (s *Store) fetchModule(ctx context.Context, parent Remote, m module) (Remote, error) {
	sub, same, err := moduleRemote(parent, m.URL)
	if err != nil {
		return sub, fail(KindSubmodule, "correct .gitmodules", "the submodule %q cannot be had: %v", m.Path, err)
	}
	_, err = s.fetchAs(ctx, sub, Want{Commit: m.Commit}, true, !same)
	if err == nil || ctx.Err() != nil {
		return sub, err
	}
	var fe *FetchError
	hint := ""
	if errors.As(err, &fe) {
		hint = fe.Hint
	}
	return sub, &FetchError{Kind: KindSubmodule, URL: parent.URL, Message: "the submodule \"" + m.Path + "\" cannot be had: " + asFetchError(err, "").Message, Hint: hint, Err: err}
}

// moduleRemote makes a submodule's remote of its parent's. Credentials go to the parent's own host only.
func moduleRemote(parent Remote, raw string) (sub Remote, same bool, err error) {
	from, err := locate(parent.URL)
	if err != nil {
		return Remote{}, false, err
	}
	if strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		raw = relativeURL(parent.URL, raw)
	}
	to, err := locate(raw)
	if err != nil {
		return Remote{}, false, err
	}
	sub = Remote{URL: raw, KnownHosts: parent.KnownHosts, CABundle: parent.CABundle, ProxyURL: parent.ProxyURL}
	same = from.sameHost(to)
	switch {
	case to.scheme == "file":
		sub.AllowFile = parent.AllowFile && from.scheme == "file"
	case same:
		sub.Username, sub.Token, sub.SSHKey = parent.Username, parent.Token, parent.SSHKey
	case to.scheme == "ssh" && from.scheme == "https" && from.host == to.hostname() && parent.Token != "":
		// git@host:org/repo beside https://host/org/repo is the same forge, and only the token is at hand.
		sub.URL, sub.Username, sub.Token = "https://"+from.host+to.path, parent.Username, parent.Token
		same = true
	}
	return sub, same, nil
}

// relativeURL resolves a submodule's URL that begins with ./ or ../ against its parent's, as git does.
func relativeURL(base, rel string) string {
	base = strings.TrimRight(base, "/")
	for {
		switch {
		case strings.HasPrefix(rel, "./"):
			rel = rel[2:]
			continue
		case strings.HasPrefix(rel, "../"):
			rel = rel[3:]
			if i := strings.LastIndexByte(base, '/'); i >= 0 {
				base = base[:i]
				continue
			}
			if i := strings.LastIndexByte(base, ':'); i >= 0 {
				return base[:i+1] + strings.TrimLeft(rel, "./")
			}
		}
		return base + "/" + rel
	}
}

// listModules finds the submodules of a commit, in the child.
func listModules(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	v, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	meta := newMetadata(v.Objects)
	tree, err := meta.treeOf(req.Commit)
	if err != nil {
		return nil, err
	}
	urls, err := meta.moduleURLs(tree)
	if err != nil || urls == nil {
		return &response{}, err
	}
	res := &response{}
	for _, path := range urls.paths() {
		e, err := meta.lookup(tree, path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && e.mode != modeModule {
			continue // .gitmodules speaks of one that is not there, and git does not mind
		}
		if err != nil {
			return nil, err
		}
		res.Modules = append(res.Modules, module{Path: path, URL: urls[path], Commit: e.id.String()})
	}
	return res, nil
}

// moduleURLs maps paths to URLs.
type moduleURLs map[string]string

func (u moduleURLs) paths() []string {
	var all []string
	for p := range u {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

func (m metadata) moduleURLs(tree pack.ID) (moduleURLs, error) {
	e, err := m.lookup(tree, ".gitmodules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := m.blob(e, ".gitmodules", maxModulesFile)
	if err != nil {
		return nil, err
	}
	return parseModules(data)
}

// parseModules reads the text of a .gitmodules.
func parseModules(data []byte) (moduleURLs, error) {
	parsed := config.NewModules()
	if err := parsed.Unmarshal(data); err != nil {
		return nil, fail(KindSubmodule, "correct it", ".gitmodules cannot be read: %s", firstLine(err.Error()))
	}
	out := make(moduleURLs)
	for _, s := range parsed.Submodules {
		if p := path.Clean(s.Path); s.URL != "" && fs.ValidPath(p) && p != "." {
			out[p] = s.URL
		}
	}
	return out, nil
}
