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
	data, err := os.ReadFile(filepath.Join(dir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return refs{}, nil
	}
	if err != nil {
		return nil, err
	}
	out := make(refs)
	for line := range strings.Lines(string(data)) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !plumbing.IsHash(id) {
			continue // the header, or a peeled value that git wrote
		}
		out[name] = plumbing.NewHash(id)
	}
	return out, nil
}

// write replaces the file, durably.
func (r refs) write(dir string) error {
	var b bytes.Buffer
	b.WriteString("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&b, "%s %s\n", r[name], name)
	}
	return writeAtomic(filepath.Join(dir, "packed-refs"), b.Bytes())
}

// names tells whether some ref is exactly this commit.
func (r refs) names(id pack.ID) bool {
	for _, v := range r {
		if v == id {
			return true
		}
	}
	return false
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
