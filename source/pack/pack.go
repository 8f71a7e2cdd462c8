package pack

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Pack is one packfile with its index, both mapped. It is safe for concurrent use.
type Pack struct {
	path string // of the .pack file
	data []byte
	idx  index
}

// Open maps a packfile and its index. Their checksums are not verified: see [Pack.Verify].
func Open(path string) (*Pack, error) {
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	p := &Pack{path: path, data: data}
	idx, err := mapFile(indexPath(path))
	if err != nil {
		p.Close()
		return nil, err
	}
	var why string
	if p.idx, why = parseIndex(idx); why != "" {
		p.idx.data = idx
		p.Close()
		return nil, &CorruptError{File: filepath.Base(indexPath(path)), Reason: why}
	}
	if len(data) < packHeader+packTrailer || string(data[:4]) != "PACK" ||
		int(binary.BigEndian.Uint32(data[8:])) != p.idx.n {
		p.Close()
		return nil, &CorruptError{File: filepath.Base(path), Reason: "its header does not match its index"}
	}
	return p, nil
}

// Close unmaps the files. Slices that a Reader returned stay valid.
func (p *Pack) Close() {
	unmap(p.data)
	unmap(p.idx.data)
	p.data, p.idx = nil, index{}
}

// Path returns the path of the .pack file.
func (p *Pack) Path() string { return p.path }

// Size returns the bytes of the packfile.
func (p *Pack) Size() int64 { return int64(len(p.data)) }

// Len returns the number of objects.
func (p *Pack) Len() int { return p.idx.n }

// At returns the name of the object at a position of the index, 0 up to Len.
func (p *Pack) At(i int) ID { return p.idx.id(i) }

// Has tells whether the pack holds an object.
func (p *Pack) Has(id ID) bool {
	_, ok := p.idx.find(id)
	return ok
}

// Verify reads the whole pack and proves its checksums: of the pack, the index, and each entry.
func (p *Pack) Verify() error {
	end := len(p.data) - packTrailer
	if sum := sha1.Sum(p.data[:end]); !bytes.Equal(sum[:], p.data[end:]) { //nolint:gosec // as above
		return p.corrupt(int64(end), "the checksum does not match")
	}
	x := p.idx.data
	if sum := sha1.Sum(x[:len(x)-20]); !bytes.Equal(sum[:], x[len(x)-20:]) { //nolint:gosec // as above
		return &CorruptError{File: filepath.Base(indexPath(p.path)), Reason: "the checksum does not match"}
	}
	order, err := p.order()
	if err != nil {
		return err
	}
	for i, at := range order {
		if crc32.ChecksumIEEE(p.entry(order, i)) != p.idx.crc(at.pos) {
			return p.corrupt(at.offset, "the checksum of object "+p.idx.id(at.pos).String()+" does not match")
		}
	}
	return nil
}

// located is an object's position in the index with its offset in the pack.
type located struct {
	offset int64
	pos    int
}

// order lists the objects by their place in the pack.
func (p *Pack) order() ([]located, error) {
	all := make([]located, p.idx.n)
	for i := range all {
		all[i] = located{p.idx.offset(i), i}
	}
	slices.SortFunc(all, func(a, b located) int { return int(min(1, max(-1, a.offset-b.offset))) })
	end := int64(len(p.data) - packTrailer)
	last := int64(packHeader) - 1
	for _, at := range all {
		if at.offset <= last || at.offset >= end {
			return nil, p.corrupt(at.offset, "the index names a place that cannot be")
		}
		last = at.offset
	}
	return all, nil
}

// entry returns the raw bytes of the i-th entry of an order, header included.
func (p *Pack) entry(order []located, i int) []byte {
	end := int64(len(p.data) - packTrailer)
	if i+1 < len(order) {
		end = order[i+1].offset
	}
	return p.data[order[i].offset:end]
}

func (p *Pack) corrupt(offset int64, why string) error {
	return &CorruptError{File: filepath.Base(p.path), Offset: offset, Reason: why}
}

func indexPath(packPath string) string {
	return strings.TrimSuffix(packPath, ".pack") + ".idx"
}

// mapFile maps a whole file for reading.
func mapFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, &CorruptError{File: filepath.Base(path), Reason: "the file is empty"}
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return data, nil
}

func unmap(data []byte) {
	if data != nil {
		_ = unix.Munmap(data) // nothing can be done about it, and nothing is lost
	}
}
