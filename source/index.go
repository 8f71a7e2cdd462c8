package source

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"fmt"
	"os"
	"slices"
)

// writeIndex writes the index that fits the tree. Of a file's state it holds what is the same wherever the tree is
// mounted or copied to with its times: size and modification time. With core.checkStat=minimal, which GitDir sets,
// git looks at nothing else, and "git status" need not read a single file.
func writeIndex(path string, p *plan) error {
	var own []*planned
	for _, f := range slices.Concat(p.files, p.links, p.mods) {
		if f.part == 0 {
			own = append(own, f)
		}
	}
	slices.SortFunc(own, func(a, b *planned) int { return cmp.Compare(a.path, b.path) })
	out := make([]byte, 0, 128*len(own)+64)
	out = append(out, "DIRC\x00\x00\x00\x02"...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(own)))
	for _, f := range own {
		out = appendEntry(out, f)
	}
	sum := sha1.Sum(out) //nolint:gosec // as above
	if err := os.WriteFile(path, append(out, sum[:]...), 0o644); err != nil {
		return fmt.Errorf("writing the index of a snapshot: %w", err)
	}
	return nil
}

// appendEntry appends an entry of the index's version 2: what is not known of a file's state is zero, and so is all of a
// submodule's.
func appendEntry(out []byte, f *planned) []byte {
	const longestName = 0xfff // what fits its place beside the flags
	when := uint32(0)
	if f.mode != modeModule {
		when = uint32(f.when.Unix())
	}
	began := len(out)
	for _, word := range []uint32{0, 0, when, 0, 0, 0, uint32(f.mode), 0, 0, uint32(f.size)} {
		out = binary.BigEndian.AppendUint32(out, word)
	}
	out = append(out, f.id[:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(min(len(f.path), longestName)))
	out = append(out, f.path...)
	return append(out, make([]byte, 8-(len(out)-began)%8)...)
}
