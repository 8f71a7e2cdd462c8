//go:build linux

package agent

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the name of a git blob
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/wire"
)

// Bounds of a patch. It is what formatters and generators changed, which a person is to look at.
const (
	maxPatchFiles = 5_000
	maxPatchBytes = 32 << 20
	maxIndexBytes = 256 << 20
)

// treeFile is a file as the commit has it, by the job's index.
type treeFile struct {
	mode, size, when uint32
	id               [20]byte
}

const (
	treeLink = 0o120000
	treeExec = 0o100755
	treeText = 0o100644
)

// patching is what is needed to tell which files a job changed: its patterns, and the tree as it was before its first
// command, since a job can change its index as well.
type patching struct {
	spec     wire.ArtifactSpec
	patterns []glob.Pattern
	tree     map[string]treeFile
	why      string // there is no patch
}

// beginPatch looks at the tree before the first command. It is nil where the buildspec names no files.
func beginPatch(job *wire.Job) *patching {
	i := slices.IndexFunc(job.Secondary, func(a wire.ArtifactSpec) bool { return a.ID == wire.PatchID })
	if i < 0 {
		return nil
	}
	p := &patching{spec: job.Secondary[i]}
	for _, text := range p.spec.Files {
		pattern, err := glob.Parse(text)
		if err != nil {
			p.why = err.Error()
			return p
		}
		p.patterns = append(p.patterns, pattern)
	}
	var err error
	if p.tree, err = readTree(filepath.Join(job.Dir, ".git", "index"), p.matches); err != nil {
		p.why = fmt.Sprintf("the index of the source directory cannot be read: %v", err)
	}
	return p
}

func (p *patching) matches(name string) bool {
	return slices.ContainsFunc(p.patterns, func(g glob.Pattern) bool { return g.Match(name) })
}

var errIndex = errors.New("it is no index of version 2")

// readTree reads the entries that are wanted of an index, as the daemon writes it (version 2).
func readTree(path string, want func(string) bool) (map[string]treeFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, maxIndexBytes), 64<<10)
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:8]) != "DIRC\x00\x00\x00\x02" {
		return nil, errIndex
	}
	tree := make(map[string]treeFile)
	for range binary.BigEndian.Uint32(head[8:]) {
		var row [62]byte
		if _, err := io.ReadFull(in, row[:]); err != nil {
			return nil, errIndex
		}
		name, err := in.ReadString(0)
		if err != nil {
			return nil, errIndex
		}
		if _, err := in.Discard(7 - (len(row)+len(name)-1)%8); err != nil {
			return nil, errIndex
		}
		if name = strings.TrimSuffix(name, "\x00"); want(name) {
			word := func(n int) uint32 { return binary.BigEndian.Uint32(row[4*n:]) }
			tree[name] = treeFile{when: word(2), mode: word(6), size: word(9), id: [20]byte(row[40:60])}
		}
	}
	return tree, nil
}

// changes are the files that a job changed or made, and those that it removed.
func (p *patching) changes(ctx context.Context, dir string) (files []packFile, gone []string, err error) {
	there := make(map[string]bool)
	opts := glob.Options{Tolerant: true, Skip: func(dir string) bool { return dir == ".git" || strings.HasSuffix(dir, "/.git") }}
	err = glob.Walk(dir, p.patterns, opts, func(f glob.Found) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !f.Type.IsRegular() && f.Type&fs.ModeSymlink == 0 {
			return nil
		}
		there[f.Name] = true
		file := packFile{path: filepath.Join(dir, f.Name), name: wire.PatchFiles + f.Name}
		had, ok := p.tree[f.Name]
		if same, link := had.same(file.path); !ok || !same {
			file.link = link
			files = append(files, file)
		}
		if len(files) > maxPatchFiles {
			return fmt.Errorf("more than %d files differ: narrow the patterns of x-runner.patch", maxPatchFiles)
		}
		return nil
	})
	for name, had := range p.tree {
		if _, err := os.Lstat(filepath.Join(dir, name)); !there[name] && had.isFile() && errors.Is(err, fs.ErrNotExist) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return files, gone, err
}

func (t treeFile) isFile() bool {
	return t.mode == treeText || t.mode == treeExec || t.mode == treeLink
}

// same tells whether a file is as the tree has it; link is the target of a symbolic link.
func (t treeFile) same(path string) (same bool, link string) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, ""
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		link, err = os.Readlink(path)
		return err == nil && t.mode == treeLink && blobID(strings.NewReader(link), int64(len(link))) == t.id, link
	}
	mode := uint32(treeText)
	if info.Mode()&0o100 != 0 {
		mode = treeExec
	}
	switch {
	case mode != t.mode:
		return false, ""
	case info.Size() == int64(t.size) && uint32(info.ModTime().Unix()) == t.when:
		return true, ""
	}
	f, err := os.Open(path)
	if err != nil {
		return false, ""
	}
	defer f.Close()
	return blobID(f, info.Size()) == t.id, ""
}

// blobID is the name that git gives to a file of these bytes.
func blobID(r io.Reader, size int64) (id [20]byte) {
	sum := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(sum, "blob %d\x00", size)
	if n, err := io.Copy(sum, r); err != nil || n != size {
		return id
	}
	return [20]byte(sum.Sum(nil))
}

// patch packs what the job changed of the files that x-runner.patch names. That there is nothing, or too much of it, fails
// no job.
func (p *phases) patch(ctx context.Context, file string) error {
	was := p.patching
	if was == nil || was.why != "" {
		if was != nil {
			p.log.say("There is no patch: %s", was.why)
		}
		return nil
	}
	files, gone, err := was.changes(ctx, p.job.Dir)
	if err == nil && len(files)+len(gone) > 0 {
		var bytes int64
		if bytes, err = packPatch(ctx, p.spool.dir, file, files, gone); err == nil {
			packed := wire.Artifacts{ID: wire.PatchID, File: file, Files: len(files) + 1, Bytes: bytes}
			p.spool.add(packed)
			p.keeps.secondary = append(p.keeps.secondary, packed)
			p.log.say("The patch has %d file(s) that differ from the commit, and %d that are gone", len(files), len(gone))
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		p.log.say("There is no patch: %v", p.log.masker.String(err.Error()))
	}
	return nil
}

func packPatch(ctx context.Context, dir *os.Root, name string, files []packFile, gone []string) (int64, error) {
	b, err := newBundle(ctx, dir, name, "patch")
	if err != nil {
		return 0, err
	}
	b.limit = maxPatchBytes
	for _, file := range files {
		if err = packOne(b, file); errors.Is(err, errShrunk) {
			err = nil
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		list := strings.Join(gone, "\x00")
		if err = b.begin(&tar.Header{Typeflag: tar.TypeReg, Name: wire.PatchGone, Size: int64(len(list)), Mode: 0o644}); err == nil {
			_, err = io.WriteString(b.tar, list)
			b.total += int64(len(list))
			err = b.write(err)
		}
	}
	var limit *clientError
	if errors.As(err, &limit) && limit.reason == wire.ReasonArtifacts || errors.Is(err, errLimit) {
		err = fmt.Errorf("what changed is larger than %d MiB: narrow the patterns of x-runner.patch", maxPatchBytes>>20)
	}
	return b.total, b.finish(err)
}
