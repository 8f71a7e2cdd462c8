package pack

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// Reader reads objects. It is cheap to keep and not safe for concurrent use: make one for each worker.
type Reader struct {
	objects *Objects
	limit   int64
	inflate inflater
	bases   baseCache
}

// maxChain bounds how many deltas may stand on each other. Git makes at most 4,095.
const maxChain = 10_000

// NewReader returns a reader that refuses to hold an object larger than limit bytes in memory (0: no limit).
func (o *Objects) NewReader(limit int64) *Reader {
	return &Reader{objects: o, limit: limit, bases: baseCache{limit: 32 << 20}}
}

// Read returns an object, which the caller must not change. It fails with ErrNotFound, a *CorruptError or a
// *LimitError.
func (r *Reader) Read(id ID) (Type, []byte, error) {
	i, offset, ok := r.objects.find(id)
	if !ok {
		return 0, nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return r.at(i, offset)
}

// Header returns type and size of an object without making it.
func (r *Reader) Header(id ID) (Type, int64, error) {
	i, offset, ok := r.objects.find(id)
	if !ok {
		return 0, 0, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	chain, base, kind, err := r.chain(i, offset)
	if err != nil {
		return 0, 0, err
	}
	if len(chain) == 0 {
		return kind, base.size, nil
	}
	size, err := r.deltaTarget(chain[0])
	return kind, size, err
}

// streamFrom is the size from which an object is passed on in pieces. Below, one write is cheaper.
const streamFrom = 1 << 20

// WriteTo writes an object's bytes to w. A large object that is stored whole is not held in memory.
func (r *Reader) WriteTo(w io.Writer, id ID) error {
	i, offset, ok := r.objects.find(id)
	if !ok {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	e, err := r.locate(i, offset)
	if err != nil {
		return err
	}
	if !isDelta(e.head.kind) && e.size > streamFrom {
		return e.damage(r.inflate.copyTo(w, e.raw, e.size))
	}
	_, data, err := r.at(i, offset)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// link is one entry on the way from an object to the whole object that it is based on.
type link struct {
	pack   *Pack
	index  int
	offset int64
	size   int64
	head   header
	raw    []byte // the deflated data, and whatever follows it
}

// damage puts the entry's place to an error of the bytes in it.
func (l link) damage(err error) error {
	if errors.Is(err, errInflate) || errors.Is(err, errDelta) {
		return l.pack.corrupt(l.offset, err.Error())
	}
	return err
}

func (r *Reader) locate(i int, offset int64) (link, error) {
	p := r.objects.packs[i]
	end := int64(len(p.data) - packTrailer)
	if offset < packHeader || offset >= end {
		return link{}, p.corrupt(offset, "the index names a place outside of the pack")
	}
	h, ok := parseHeader(p.data[offset:end])
	if !ok {
		return link{}, p.corrupt(offset, "no object begins here")
	}
	return link{p, i, offset, h.size, h, p.data[offset+int64(h.length) : end]}, nil
}

// chain follows deltas down to a whole object or to one that is cached. The deltas are in the order met.
func (r *Reader) chain(i int, offset int64) (deltas []link, base link, kind Type, err error) {
	for {
		if data, kind, ok := r.bases.get(baseKey{i, offset}); ok {
			return deltas, link{index: i, offset: offset, size: int64(len(data))}, kind, nil
		}
		l, err := r.locate(i, offset)
		if err != nil {
			return nil, link{}, 0, err
		}
		if !isDelta(l.head.kind) {
			return deltas, l, l.head.kind, nil
		}
		deltas = append(deltas, l)
		if len(deltas) > maxChain {
			return nil, link{}, 0, l.pack.corrupt(offset, "too many deltas stand on each other")
		}
		if l.head.kind == plumbing.OFSDeltaObject {
			offset -= l.head.distance
			continue
		}
		pos, ok := l.pack.idx.find(l.head.base)
		if !ok {
			return nil, link{}, 0, l.pack.corrupt(offset, "the base "+l.head.base.String()+" is missing")
		}
		offset = l.pack.idx.offset(pos)
	}
}

// deltaTarget reads only as much of a delta as tells the size of what it makes.
func (r *Reader) deltaTarget(l link) (int64, error) {
	src, err := r.inflate.start(l.raw)
	if err != nil {
		return 0, l.damage(err)
	}
	var head [20]byte
	n, err := io.ReadFull(src, head[:min(l.size, int64(len(head)))])
	if err != nil {
		return 0, l.damage(errInflate)
	}
	_, size, _, ok := deltaSizes(head[:n])
	if !ok {
		return 0, l.damage(errDelta)
	}
	return size, nil
}

// at makes the object at a place.
func (r *Reader) at(i int, offset int64) (Type, []byte, error) {
	deltas, base, kind, err := r.chain(i, offset)
	if err != nil {
		return 0, nil, err
	}
	data, _, cached := r.bases.get(baseKey{base.index, base.offset})
	if !cached {
		if data, err = r.inflate.inflate(base.raw, base.size, r.limit); err != nil {
			return 0, nil, base.damage(err)
		}
	}
	for n := len(deltas) - 1; n >= 0; n-- {
		if !cached {
			r.bases.put(baseKey{base.index, base.offset}, kind, data)
		}
		d := deltas[n]
		delta, err := r.inflate.inflate(d.raw, d.size, r.limit)
		if err != nil {
			return 0, nil, d.damage(err)
		}
		if data, err = applyDelta(data, delta, r.limit); err != nil {
			return 0, nil, d.damage(err)
		}
		base, cached = d, false
	}
	return kind, data, nil
}
