package source

import (
	"os"
	"path/filepath"
)

// Sizes is what mirrors and snapshots take, in bytes. It reads the records of snapshots and lists the packs of mirrors, and
// walks no tree.
func (s *Store) Sizes() (mirrors, snapshots int64, err error) {
	all, err := s.all(nil)
	if err != nil {
		return 0, 0, err
	}
	packs, err := filepath.Glob(filepath.Join(s.opts.Dir, "mirrors", "*", "objects", "pack", "*"))
	if err != nil {
		return 0, 0, err
	}
	for _, p := range packs {
		if info, err := os.Stat(p); err == nil { // a repack may have removed it
			mirrors += info.Size()
		}
	}
	return mirrors, onDisk(all), nil
}
