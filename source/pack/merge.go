package pack

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
)

// Merge writes one pack that holds every object of packs for which keep answers true, and what those need as bases
// of their deltas. Entries are copied as they are, not inflated, so that it costs little more than copying the
// files; an object that several packs hold is written once. The packs stay as they are.
func Merge(ctx context.Context, packs []*Pack, dir string, keep func(ID) bool) (*Staged, error) {
	f, err := os.CreateTemp(dir, "merging-*.pack")
	if err != nil {
		return nil, fmt.Errorf("staging a pack: %w", err)
	}
	m := &merger{ctx: ctx, keep: keep, at: make(map[ID]int64), file: f, out: bufio.NewWriterSize(f, 1<<18)}
	s, err := m.merge(packs)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil || s.Path == "" {
		_ = os.Remove(f.Name())
		_ = os.Remove(indexPath(f.Name()))
	}
	return s, err
}

type merger struct {
	ctx    context.Context
	keep   func(ID) bool
	at     map[ID]int64 // where an object was written
	places []place
	file   *os.File
	out    *bufio.Writer
	size   int64
	err    error
}

func (m *merger) merge(packs []*Pack) (*Staged, error) {
	m.write([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"))
	for _, p := range packs {
		if err := m.add(p); err != nil {
			return nil, err
		}
	}
	if err := m.out.Flush(); m.err == nil {
		m.err = err
	}
	if m.err != nil || len(m.places) == 0 {
		return &Staged{}, m.err
	}
	sum, err := m.seal()
	if err != nil {
		return nil, err
	}
	if err := writeIndexFile(indexPath(m.file.Name()), m.places, sum); err != nil {
		return nil, err
	}
	return &Staged{
		Path: m.file.Name(), Name: "pack-" + ID(sum).String(), Objects: len(m.places), Bytes: m.size + packTrailer,
	}, nil
}

// seal writes the count and the checksum, and makes the file durable.
func (m *merger) seal() (sum [20]byte, err error) {
	var count [4]byte
	binary.BigEndian.PutUint32(count[:], uint32(len(m.places)))
	if _, err := m.file.WriteAt(count[:], 8); err != nil {
		return sum, err
	}
	var h hash.Hash = sha1.New() //nolint:gosec // as above
	if _, err := io.Copy(h, io.NewSectionReader(m.file, 0, m.size)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	if _, err := m.file.WriteAt(sum[:], m.size); err != nil {
		return sum, err
	}
	if err := m.file.Chmod(0o444); err != nil {
		return sum, err
	}
	return sum, m.file.Sync()
}

// add copies what is wanted of one pack. A pack is complete in itself, so the base of an entry was either written
// from an earlier pack or stands before it (if named by distance) or anywhere (if by name) in this one.
func (m *merger) add(p *Pack) error {
	order, err := p.order()
	if err != nil {
		return err
	}
	heads := make([]header, len(order))
	rank := make(map[int64]int, len(order)) // offset to position in order
	for i, at := range order {
		h, ok := parseHeader(p.entry(order, i))
		if !ok {
			return p.corrupt(at.offset, "no object begins here")
		}
		heads[i], rank[at.offset] = h, i
	}
	wanted, err := m.wanted(p, order, heads, rank)
	if err != nil {
		return err
	}
	for i, at := range order {
		if i%4096 == 0 && m.ctx.Err() != nil {
			return context.Cause(m.ctx)
		}
		if !wanted[i] {
			continue
		}
		h, raw := heads[i], p.entry(order, i)[heads[i].length:]
		if h.kind == plumbing.OFSDeltaObject {
			h.distance = m.size - m.at[p.idx.id(order[rank[at.offset-h.distance]].pos)]
		}
		m.copy(p.idx.id(at.pos), h, raw)
	}
	return m.err
}

// wanted marks what to copy: what keep wants and is not yet written, then the bases below it.
func (m *merger) wanted(p *Pack, order []located, heads []header, rank map[int64]int) ([]bool, error) {
	marks := make([]bool, len(order))
	for i := range order {
		for j, first := i, true; ; first = false {
			id := p.idx.id(order[j].pos)
			if _, done := m.at[id]; done || marks[j] || first && !m.keep(id) {
				break
			}
			marks[j] = true
			var base int64
			switch heads[j].kind {
			case plumbing.OFSDeltaObject:
				base = order[j].offset - heads[j].distance
			case plumbing.REFDeltaObject:
				if pos, ok := p.idx.find(heads[j].base); ok {
					base = p.idx.offset(pos)
				}
			default:
				base = -1
			}
			if base < 0 {
				break
			}
			k, ok := rank[base]
			if !ok {
				return nil, p.corrupt(order[j].offset, "a delta's base is missing")
			}
			j = k
		}
	}
	return marks, nil
}

func (m *merger) copy(id ID, h header, raw []byte) {
	head := appendHeader(nil, h)
	m.at[id] = m.size
	m.places = append(m.places, place{id, crc32.Update(crc32.ChecksumIEEE(head), crc32.IEEETable, raw), m.size})
	m.write(head)
	m.write(raw)
}

func (m *merger) write(b []byte) {
	if m.err == nil {
		_, m.err = m.out.Write(b)
	}
	m.size += int64(len(b))
}
