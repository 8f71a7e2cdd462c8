package source

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// writeIndex writes the index that fits the tree. Of a file's state it holds what is the same wherever the tree is
// mounted or copied to with its times: size and modification time. With core.checkStat=minimal, which GitDir sets,
// git looks at nothing else, and "git status" need not read a single file.
func writeIndex(path string, p *plan, when time.Time) error {
	idx := &index.Index{Version: 2}
	for _, all := range [][]*planned{p.files, p.links} {
		for _, f := range all {
			if f.part == 0 {
				idx.Entries = append(idx.Entries, &index.Entry{
					Name: f.path, Hash: f.id, Mode: filemode.FileMode(f.mode), ModifiedAt: when, Size: uint32(f.size),
				})
			}
		}
	}
	for _, f := range p.mods {
		if f.part == 0 {
			idx.Entries = append(idx.Entries, &index.Entry{Name: f.path, Hash: f.id, Mode: filemode.Submodule})
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	err = index.NewEncoder(w).Encode(idx)
	if err := errors.Join(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing the index of a snapshot: %w", err)
	}
	return nil
}
