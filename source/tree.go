package source

import (
	"bytes"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// mode is what a tree says of an entry.
type mode uint32

// The modes that git writes. Others of the type "regular" occur in old repositories and mean file.
const (
	modeFile    mode = 0o100644
	modeExec    mode = 0o100755
	modeSymlink mode = 0o120000
	modeModule  mode = 0o160000
	modeTree    mode = 0o040000
)

// canonical maps a mode to one of those above; ok is false when none fits.
func (m mode) canonical() (mode, bool) {
	switch m &^ 0o7777 {
	case 0o100000:
		if m&0o100 != 0 {
			return modeExec, true
		}
		return modeFile, true
	case modeSymlink, modeModule, modeTree:
		return m &^ 0o7777, true
	}
	return 0, false
}

// treeEntry is one line of a tree.
type treeEntry struct {
	name string
	mode mode
	id   pack.ID
}

// parseTree reads a tree. Names are as found: see checkName.
func parseTree(id pack.ID, data []byte) ([]treeEntry, error) {
	malformed := func() error { return fail(KindCorrupt, "", "the tree %s is malformed", id) }
	entries := make([]treeEntry, 0, len(data)/36)
	for len(data) > 0 {
		sp := bytes.IndexByte(data[:min(len(data), 8)], ' ')
		if sp < 1 {
			return nil, malformed()
		}
		var m mode
		for _, c := range data[:sp] {
			if c < '0' || c > '7' {
				return nil, malformed()
			}
			m = m<<3 | mode(c-'0')
		}
		m, ok := m.canonical()
		nul := bytes.IndexByte(data, 0)
		if !ok || nul < sp || len(data) < nul+21 {
			return nil, malformed()
		}
		e := treeEntry{name: string(data[sp+1 : nul]), mode: m}
		copy(e.id[:], data[nul+1:])
		entries = append(entries, e)
		data = data[nul+21:]
	}
	return entries, nil
}

func (m metadata) tree(id pack.ID) ([]treeEntry, error) {
	data, err := m.read(id, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	return parseTree(id, data)
}
