package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Objects is a set of packs that together hold the objects of a mirror. It is safe for concurrent use, and must not
// be closed while a Reader of it is in use.
type Objects struct {
	packs []*Pack
}

// OpenDir opens every pack of a directory that has an index. A directory that does not exist holds none.
func OpenDir(dir string) (*Objects, error) {
	return OpenSome(dir, func(string) bool { return true })
}

// OpenSome opens those whose file, the index, has a name that is wanted.
func OpenSome(dir string, want func(file string) bool) (*Objects, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	o := &Objects{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "pack-") || !strings.HasSuffix(e.Name(), ".idx") || !want(e.Name()) {
			continue
		}
		p, err := Open(filepath.Join(dir, strings.TrimSuffix(e.Name(), ".idx")+".pack"))
		if err != nil {
			o.Close()
			return nil, err
		}
		o.packs = append(o.packs, p)
	}
	// Most objects are in the largest pack, so it is asked first.
	slices.SortFunc(o.packs, func(a, b *Pack) int { return b.Len() - a.Len() })
	return o, nil
}

// With returns a set that also looks into p. Closing it closes all of its packs.
func (o *Objects) With(p *Pack) *Objects {
	return &Objects{packs: append(slices.Clone(o.packs), p)}
}

// Only returns the set of those packs that are wanted. It is closed with the set that it was taken from.
func (o *Objects) Only(want func(*Pack) bool) *Objects {
	return &Objects{packs: slices.DeleteFunc(slices.Clone(o.packs), func(p *Pack) bool { return !want(p) })}
}

// Close closes all packs.
func (o *Objects) Close() {
	for _, p := range o.packs {
		p.Close()
	}
	o.packs = nil
}

// Packs returns the packs, largest first.
func (o *Objects) Packs() []*Pack { return o.packs }

// Has tells whether an object is there.
func (o *Objects) Has(id ID) bool {
	_, _, ok := o.find(id)
	return ok
}

// Place is where an object lies. Reading objects in the order of their places is much cheaper than in any other,
// since what a delta needs is then usually still at hand.
type Place struct {
	Pack   int
	Offset int64
}

// Locate returns an object's place.
func (o *Objects) Locate(id ID) (Place, bool) {
	i, offset, ok := o.find(id)
	return Place{i, offset}, ok
}

func (o *Objects) find(id ID) (pack int, offset int64, ok bool) {
	for i, p := range o.packs {
		if pos, ok := p.idx.find(id); ok {
			return i, p.idx.offset(pos), true
		}
	}
	return 0, 0, false
}
