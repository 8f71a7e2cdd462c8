package source

import (
	"context"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/attributes"
	"github.com/runner-ci/runner/source/pack"
)

// plan is what a snapshot will be, before anything is written: every name checked, every conversion decided.
type plan struct {
	dirs  []*planned // parents before children
	files []*planned
	links []*planned
	mods  []*planned
}

// planned is one directory, file, symbolic link or submodule.
type planned struct {
	path  string // slash-separated, from the top
	mode  mode
	id    pack.ID
	part  int // which repository holds it
	place pack.Place
	conv  attributes.Conversion
	had   *laid // what a lender has instead, if it has: place is not set then
	size  int64 // as written
	when  time.Time
}

// locate finds where the object lies.
func (f *planned) locate(o *pack.Objects) error {
	var ok bool
	if f.place, ok = o.Locate(f.id); !ok {
		return fail(KindCorrupt, "", "the mirror lacks the object %s of %q", f.id, f.path)
	}
	return nil
}

// maxPath bounds a path in bytes, as the kernel does; maxAttributes a .gitattributes, as git does.
const (
	maxPath       = 4095
	maxAttributes = 100 << 20
)

// planner walks the trees of one repository: the commit's, or a submodule's.
type planner struct {
	ctx      context.Context
	plan     *plan
	maxFiles int
	part     int
	top      string // where this repository's tree lies, "" or "path/"
	objects  *pack.Objects
	meta     metadata
	table    *attributes.Table
	offer    func(*planned) *laid // what a lender has of a file
}

// tree plans the tree at prefix, which is "" or ends with a slash.
func (p *planner) tree(id pack.ID, prefix string, layer *attributes.Layer) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	entries, err := p.meta.tree(id)
	if err != nil {
		return err
	}
	if layer, err = p.attributes(entries, prefix, layer); err != nil {
		return err
	}
	for _, e := range entries {
		path := prefix + e.name
		if err := p.check(e, path); err != nil {
			return err
		}
		if e.mode == modeTree {
			p.dir(path)
			if err := p.tree(e.id, path+"/", layer); err != nil {
				return err
			}
			continue
		}
		if err := p.leaf(e, path, layer); err != nil {
			return err
		}
	}
	return nil
}

// check refuses names that must not be written.
func (p *planner) check(e treeEntry, path string) error {
	const hint = "remove it from the commit"
	if why := checkName(e.name); why != "" {
		return fail(KindUnsafe, hint, "the tree is not safe to write: the name %q %s (at %q)", e.name, why, path)
	}
	if e.mode == modeSymlink && isDotGit(e.name, "gitmodules", "gitmod~1") {
		return fail(KindUnsafe, hint, "the tree is not safe to write: %q is a symbolic link", path)
	}
	if len(path) > maxPath {
		return fail(KindUnsafe, hint, "the tree is not safe to write: a path is longer than %d bytes (%.80q…)", maxPath, path)
	}
	if n := len(p.plan.dirs) + len(p.plan.files) + len(p.plan.links); n >= p.maxFiles {
		return fail(KindTooLarge, "commit fewer files", "the tree holds more than %d files and directories", p.maxFiles)
	}
	return nil
}

// attributes puts the directory's .gitattributes on top of its parents'.
func (p *planner) attributes(entries []treeEntry, prefix string, layer *attributes.Layer) (*attributes.Layer, error) {
	for _, e := range entries {
		if e.name != ".gitattributes" || e.mode != modeFile && e.mode != modeExec {
			continue
		}
		_, size, err := p.meta.r.Header(e.id)
		if err != nil {
			return nil, explainObject(err)
		}
		if size > maxAttributes {
			return layer, nil
		}
		data, err := p.meta.read(e.id, plumbing.BlobObject)
		if err != nil {
			return nil, err
		}
		dir := strings.TrimSuffix(strings.TrimPrefix(prefix, p.top), "/")
		return layer.Push(dir, p.table.Parse(data, dir == "")), nil
	}
	return layer, nil
}

func (p *planner) dir(path string) {
	d := &planned{path: path, mode: modeTree, part: p.part}
	d.had = p.offer(d)
	p.plan.dirs = append(p.plan.dirs, d)
}

func (p *planner) leaf(e treeEntry, path string, layer *attributes.Layer) error {
	f := &planned{path: path, mode: e.mode, id: e.id, part: p.part}
	if e.mode == modeModule {
		p.dir(path)
		p.plan.mods = append(p.plan.mods, f)
		return nil
	}
	if e.mode == modeSymlink {
		if err := f.locate(p.objects); err != nil {
			return err
		}
		f.had = p.offer(f)
		p.plan.links = append(p.plan.links, f)
		return nil
	}
	var err error
	if f.conv, err = p.table.Lookup(layer, strings.TrimPrefix(path, p.top)); err != nil {
		return fail(KindAttributes, "change .gitattributes", "%q cannot be written: %v", path, err)
	}
	if f.conv.Filter == "lfs" {
		if err := p.refuseLFS(f); err != nil {
			return err
		}
	}
	if f.had = p.offer(f); f.had == nil {
		if err := f.locate(p.objects); err != nil {
			return err
		}
	}
	p.plan.files = append(p.plan.files, f)
	return nil
}

// maxPointer is the size below which LFS looks for a pointer.
const maxPointer = 1024

// refuseLFS refuses a file whose bytes lie elsewhere. A file that LFS would track but that was committed as it is,
// is written as it is.
func (p *planner) refuseLFS(f *planned) error {
	kind, size, err := p.meta.r.Header(f.id)
	if err != nil {
		return explainObject(err)
	}
	if kind != plumbing.BlobObject || size >= maxPointer {
		return nil
	}
	data, err := p.meta.read(f.id, plumbing.BlobObject)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(data), "version https://git-lfs.github.com/spec/") {
		return nil
	}
	return fail(KindLFS, "fetch them in the build with git lfs pull from a repository without the filter attribute, or commit them without LFS",
		"the file %q is stored with Git LFS, which is not supported yet, and would be a pointer instead of its content", f.path)
}
