package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// refs are all refs of a mirror. They live in one file, packed-refs, so that a change of many is one rename.
type refs map[string]pack.ID

// Our own corners of a mirror's refs.
const (
	refsOurs = "refs/runner/"
	// refsSubmit holds what laptops sent, below the day it was: refs/runner/submit/2026-01-31/ID.
	refsSubmit = "refs/runner/submit/"
	// refsKept holds what was fetched for a build, below the day it was: refs/runner/kept/2026-01-31/COMMIT.
	refsKept = "refs/runner/kept/"
)

func readRefs(dir string) (refs, error) {
	all, err := listRefs(dir)
	if err != nil {
		return nil, err
	}
	return all.byName(), nil
}

// namedRef is a ref as the file has it.
type namedRef struct{ id, name string }

// refList is the file's refs, sorted by name. It costs a fraction of refs, and is enough for whoever passes over all of them
// once: a mirror may have tens of thousands.
type refList []namedRef

func listRefs(dir string) (refList, error) {
	data, err := os.ReadFile(filepath.Join(dir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make(refList, 0, bytes.Count(data, []byte{'\n'}))
	for line := range strings.Lines(string(data)) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !isID(id) {
			continue // the header, or a peeled value that git wrote
		}
		out = append(out, namedRef{id, name})
	}
	return out, nil
}

// isID tells whether a string is the name of an object, without making anything of it.
func isID(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 40
}

func (l refList) byName() refs {
	out := make(refs, len(l))
	for _, r := range l {
		out[r.name] = plumbing.NewHash(r.id)
	}
	return out
}

// names tells whether some ref is exactly this commit.
func (l refList) names(id pack.ID) bool {
	hex := id.String()
	return slices.ContainsFunc(l, func(r namedRef) bool { return r.id == hex })
}

// ids are the objects that are named, each once.
func (l refList) ids() map[pack.ID]bool {
	out := make(map[pack.ID]bool, len(l))
	for _, r := range l {
		out[plumbing.NewHash(r.id)] = true
	}
	return out
}

func (l refList) has(name string) bool {
	return slices.ContainsFunc(l, func(r namedRef) bool { return r.name == name })
}

// text is a packed-refs file of these refs. They must be sorted.
func (l refList) text() []byte {
	out := append(make([]byte, 0, 100*len(l)), "# pack-refs with: sorted \n"...)
	for _, r := range l {
		out = append(append(append(append(out, r.id...), ' '), r.name...), '\n')
	}
	return out
}

// write replaces the file, durably.
func (r refs) write(dir string) error {
	list := make(refList, 0, len(r))
	for _, name := range slices.Sorted(maps.Keys(r)) {
		list = append(list, namedRef{r[name].String(), name})
	}
	return writeAtomic(filepath.Join(dir, "packed-refs"), list.text())
}

// validRef refuses what would not survive in a packed-refs file, or would leave its directory as a file.
func validRef(name string) bool {
	return strings.HasPrefix(name, "refs/") && len(name) < 1024 && !strings.ContainsAny(name, " \t\r\n\x00\x7f") &&
		plumbing.ReferenceName(name).Validate() == nil
}

func parseCommit(s string) (pack.ID, error) {
	if !plumbing.IsHash(s) || len(s) != 40 {
		return pack.ID{}, fail(KindBadURL, "give all 40 hexadecimal digits", "%q is not the name of a commit", s[:min(len(s), 80)])
	}
	return plumbing.NewHash(s), nil
}

// writeAtomic writes a file beside its place, makes it durable, and renames it.
func writeAtomic(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	_, err = w.Write(data)
	err = errors.Join(err, w.Flush(), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
