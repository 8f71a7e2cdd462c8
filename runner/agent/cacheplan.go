//go:build linux

package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/wire"
)

// Bounds of what is asked for.
const (
	maxCacheKey  = 512 // bytes
	maxFallbacks = 5
)

// cachePlan is the cache block of a buildspec after the shell expanded it. It is made once, before the first
// command, so that what is saved is what the next build will ask for.
type cachePlan struct {
	key      string
	fallback []string
	version  string // digest of the paths
	roots    []*cacheRoot
	hit      bool           // the cache of this very key was found
	dirs     []*cacheDir    // what the paths are, if they are whole directories
	use      *wire.CacheUse // nil: none was asked for, or it could not be had
	mounted  bool           // the daemon takes what is in them without us
}

// cacheRoot is a directory that paths of the cache lie below. In the archive it has a name of its own, so that a cache
// fits where the source directory or the home is elsewhere.
type cacheRoot struct {
	name     string // "source", "home" or "root"
	dir      string
	patterns []glob.Pattern
	texts    []string // of the patterns, as they were written
}

func (c *cachePlan) String() string {
	if c.key == "" {
		return "cache"
	}
	return "cache " + c.key
}

// planCache expands a cache block. What is wrong with it is a *clientError.
func (p *phases) planCache(ctx context.Context, spec wire.CacheSpec) (*cachePlan, error) {
	plan := &cachePlan{}
	var err error
	if spec.Key != "" {
		if plan.key, err = p.cacheKey(ctx, "cache.key", spec.Key); err != nil {
			return nil, err
		}
	}
	if plan.fallback, err = p.fallbacks(ctx, spec); err != nil {
		return nil, err
	}
	values, err := p.values(ctx, "cache.paths", []string{"$HOME"})
	if err != nil {
		return nil, err
	}
	plan.roots = cacheRoots(p.job.Dir, values["HOME"])
	for _, text := range spec.Paths {
		path, err := p.expandText(ctx, "cache.paths", text)
		if err != nil {
			return nil, err
		}
		p.log.say("Expanding cache path %s", path)
		if path = strings.TrimSpace(path); path == "" {
			continue // a variable that is not set
		}
		if err := plan.place(path); err != nil {
			return nil, err
		}
	}
	if !plan.digest() {
		return nil, mistake("no paths specified to be cached: what cache.paths names is not set")
	}
	return plan, nil
}

// fallbacks expands the fallback keys. One that comes to nothing is left out, for it would match every cache.
func (p *phases) fallbacks(ctx context.Context, spec wire.CacheSpec) ([]string, error) {
	if len(spec.Fallback) > 0 && spec.Key == "" {
		p.log.say("cache.fallback-keys are ignored, because there is no cache.key")
		return nil, nil
	}
	var all []string
	for i, text := range spec.Fallback {
		if i == maxFallbacks {
			p.log.say("Only the first %d of cache.fallback-keys are used", maxFallbacks)
			break
		}
		key, err := p.cacheKey(ctx, "cache.fallback-keys", text)
		if why := context.Cause(ctx); why != nil {
			return nil, why
		}
		if err != nil {
			p.log.say("Ignoring a fallback key: %v", err)
			continue
		}
		all = append(all, key)
	}
	return all, nil
}

// cacheKey expands one key. A key for which codebuild-hash-files found no file is refused: without the hash it would
// be the same for ever. A key rests with the daemon in clear, so that what it holds of a secret is hidden.
func (p *phases) cacheKey(ctx context.Context, what, text string) (string, error) {
	trouble := filepath.Join(p.shell.home, "trouble")
	defer os.Remove(trouble)
	key, err := p.expandAfter(ctx, hashTroubleVar+"="+quote(trouble)+"; export "+hashTroubleVar, what, text)
	if err != nil {
		return "", err
	}
	if said, err := os.ReadFile(trouble); err == nil {
		return "", mistake("%s %q cannot be used: codebuild-hash-files: %s", what, text, wire.Cut(string(said)))
	}
	key = p.log.masker.String(strings.TrimSpace(key))
	if key == "" || len(key) > maxCacheKey {
		return "", mistake("%s %q has %d bytes after the shell expanded it, expected 1 to %d", what, text, len(key), maxCacheKey)
	}
	return key, nil
}

// cacheRoots returns the directories that paths are named from, the nearer ones first.
func cacheRoots(source, home string) []*cacheRoot {
	roots := []*cacheRoot{{name: "source", dir: filepath.Clean(source)}}
	if filepath.IsAbs(home) && filepath.Clean(home) != "/" {
		roots = append(roots, &cacheRoot{name: "home", dir: filepath.Clean(home)})
	}
	return append(roots, &cacheRoot{name: "root", dir: "/"})
}

// place adds a path to the root it lies below.
func (c *cachePlan) place(text string) error {
	full := text
	switch {
	case text == "~" || strings.HasPrefix(text, "~/"):
		if c.roots[1].name != "home" {
			return mistake("cache.paths %q cannot be used: HOME is not set in this image", text)
		}
		full = filepath.Join(c.roots[1].dir, text[1:])
	case !filepath.IsAbs(text):
		full = filepath.Join(c.roots[0].dir, text)
	}
	if wild := strings.IndexAny(text, `*?[`); wild >= 0 && strings.Contains(text[wild:], "/..") {
		return mistake("cache.paths %q cannot be used: .. stands behind a wildcard", text)
	}
	full = filepath.Clean(full)
	for _, root := range c.roots {
		rel, ok := within(root.dir, full)
		if !ok {
			continue
		}
		if rel == "." {
			if root.name == "root" {
				return mistake("cache.paths %q is the whole file system: name the directories that are worth keeping", text)
			}
			rel = "**/*"
		}
		pattern, err := glob.Parse(rel)
		if err != nil {
			return mistake("cache.paths: %v", err)
		}
		root.patterns = append(root.patterns, pattern)
		root.texts = append(root.texts, text)
		return nil
	}
	return mistake("cache.paths %q is no path", text)
}

// digest computes the version from the paths, whatever their order. It returns false when there are none.
func (c *cachePlan) digest() bool {
	var all []string
	for _, root := range c.roots {
		for _, p := range root.patterns {
			all = append(all, root.name+"/"+p.String()+"\n")
		}
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(all), "")))
	c.version = hex.EncodeToString(sum[:])
	return len(all) > 0
}

// covers tells whether a name of the archive is one that the paths cover, or a directory that leads there, and below
// which root it lies.
func (c *cachePlan) covers(name string) (root *cacheRoot, rel string, covered, leads bool) {
	first, rel, ok := strings.Cut(name, "/")
	i := slices.IndexFunc(c.roots, func(r *cacheRoot) bool { return r.name == first })
	if !ok || i < 0 {
		return nil, "", false, false
	}
	for _, p := range c.roots[i].patterns {
		covered = covered || p.Covers(rel)
		leads = leads || p.Leads(rel)
	}
	return c.roots[i], rel, covered, leads
}
