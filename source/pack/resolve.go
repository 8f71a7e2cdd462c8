package pack

import (
	"crypto"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	githash "github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/klauspost/compress/zlib"
)

// family knows which deltas stand on which base. Its tables do not change while workers run.
type family struct {
	in       *incoming
	data     []byte
	end      int64
	first    []int32 // first offset delta on an entry, -1 for none
	next     []int32 // next offset delta on the same base
	byName   map[ID][]int32
	taken    []atomic.Bool // a delta is resolved once, even if its base's name occurs twice
	resolved atomic.Int64
}

func (in *incoming) newFamily(data []byte) *family {
	n := len(in.entries)
	f := &family{
		in: in, data: data, end: in.size - packTrailer, byName: make(map[ID][]int32),
		first: slices.Repeat([]int32{-1}, n), next: slices.Repeat([]int32{-1}, n), taken: make([]atomic.Bool, n),
	}
	for i := n - 1; i >= 0; i-- {
		switch e := &in.entries[i]; {
		case e.kind == plumbing.OFSDeltaObject:
			f.next[i], f.first[e.base] = f.first[e.base], int32(i)
		case e.kind == plumbing.REFDeltaObject:
			f.byName[e.id] = append(f.byName[e.id], int32(i))
		}
	}
	return f
}

// children claims the deltas that stand on an object.
func (f *family) children(i int32, id ID) []int32 {
	var all []int32
	if i >= 0 {
		for c := f.first[i]; c >= 0; c = f.next[c] {
			all = append(all, c)
		}
	}
	all = append(all, f.byName[id]...)
	return slices.DeleteFunc(all, func(c int32) bool { return f.taken[c].Swap(true) })
}

// resolve is step 2: it names every object that can be made from the pack alone.
func (in *incoming) resolve() error {
	if !slices.ContainsFunc(in.entries, func(e incomingEntry) bool { return isDelta(e.kind) }) {
		return nil
	}
	data, err := in.mapped()
	if err != nil {
		return err
	}
	defer unmap(data)
	f := in.newFamily(data)
	var roots []int32
	for i := range in.entries {
		e := &in.entries[i]
		if !isDelta(e.kind) && (f.first[i] >= 0 || len(f.byName[e.id]) > 0) {
			roots = append(roots, int32(i))
		}
	}
	return f.inParallel(roots)
}

func (f *family) inParallel(roots []int32) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for n := range errs {
		wg.Go(func() {
			w := f.worker()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(roots) || errs[n] != nil {
					return
				}
				errs[n] = w.root(roots[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

type resolver struct {
	*family
	inflate inflater
	sum     hash.Hash
}

func (f *family) worker() *resolver { return &resolver{family: f, sum: githash.New(crypto.SHA1)} }

// waiting is an object on the way down that still has deltas to make.
type waiting struct {
	kind Type
	data []byte
	kids []int32
}

func (w *resolver) root(i int32) error {
	kids := w.children(i, w.in.entries[i].id)
	if len(kids) == 0 {
		return nil
	}
	data, err := w.bytes(i)
	if err != nil {
		return err
	}
	return w.descend(waiting{w.in.entries[i].kind, data, kids})
}

// descend makes all that stands on one object, depth first. A base is let go before its last delta is followed, so
// that a chain, however long, holds two objects.
func (w *resolver) descend(from waiting) error {
	stack := []waiting{from}
	for len(stack) > 0 {
		if err := w.in.ctx.Err(); err != nil {
			return err
		}
		top := &stack[len(stack)-1]
		i := top.kids[0]
		kind, base := top.kind, top.data
		if top.kids = top.kids[1:]; len(top.kids) == 0 {
			stack = stack[:len(stack)-1]
		}
		data, err := w.make(i, kind, base)
		if err != nil {
			return err
		}
		if kids := w.children(i, w.in.entries[i].id); len(kids) > 0 {
			stack = append(stack, waiting{kind, data, kids})
		}
	}
	return nil
}

// make applies one delta and names what it makes.
func (w *resolver) make(i int32, kind Type, base []byte) ([]byte, error) {
	delta, err := w.bytes(i)
	if err != nil {
		return nil, err
	}
	e := &w.in.entries[i]
	data, err := applyDelta(base, delta, w.in.limits.ObjectBytes)
	if errors.Is(err, errDelta) {
		return nil, &CorruptError{Offset: e.offset, Reason: err.Error()}
	}
	if err != nil {
		return nil, err
	}
	startHash(w.sum, kind, int64(len(data)))
	_, _ = w.sum.Write(data)
	w.sum.Sum(e.id[:0])
	e.ready = true
	w.resolved.Add(1)
	return data, nil
}

// bytes inflates an entry: an object or a delta.
func (w *resolver) bytes(i int32) ([]byte, error) {
	e := &w.in.entries[i]
	data, err := w.inflate.inflate(w.data[e.offset+int64(e.head):w.end], e.size, w.in.limits.ObjectBytes)
	if errors.Is(err, errInflate) {
		return nil, &CorruptError{Offset: e.offset, Reason: err.Error()}
	}
	return data, err
}

// complete is step 3: it appends the bases that a thin pack left out.
func (in *incoming) complete(from *Objects) (int, error) {
	missing := slices.IndexFunc(in.entries, func(e incomingEntry) bool { return !e.ready })
	if missing < 0 {
		return 0, nil
	}
	if from == nil {
		from = &Objects{}
	}
	data, err := in.mapped()
	if err != nil {
		return 0, err
	}
	defer unmap(data)
	f := in.newFamily(data)
	for i := range in.entries {
		f.taken[i].Store(in.entries[i].ready)
	}
	w, reader, own := f.worker(), from.NewReader(in.limits.ObjectBytes), len(in.entries)
	in.size -= packTrailer
	for i := missing; i < own; i++ {
		e := &in.entries[i]
		if e.ready || e.kind != plumbing.REFDeltaObject || !from.Has(e.id) {
			continue
		}
		id := e.id
		kind, base, err := reader.Read(id)
		if err != nil {
			return 0, fmt.Errorf("reading the base of a thin pack: %w", err)
		}
		if err := in.appendObject(id, kind, base); err != nil {
			return 0, err
		}
		if err := w.descend(waiting{kind, base, w.children(-1, id)}); err != nil {
			return 0, err
		}
	}
	for i := range in.entries[:own] {
		if e := &in.entries[i]; !e.ready {
			return 0, &CorruptError{Offset: e.offset, Reason: "a delta's base is neither in the pack nor in the mirror"}
		}
	}
	return len(in.entries) - own, in.rewrite()
}

// appendObject writes a whole object at the end of the file.
func (in *incoming) appendObject(id ID, kind Type, data []byte) error {
	head := appendHeader(nil, header{kind: kind, size: int64(len(data))})
	in.entries = append(in.entries, incomingEntry{
		offset: in.size, size: int64(len(data)), id: id, base: -1, head: uint8(len(head)), kind: kind, ready: true,
	})
	out := &offsetWriter{in: in}
	if _, err := out.Write(head); err != nil {
		return err
	}
	zw := zlib.NewWriter(out)
	if _, err := zw.Write(data); err != nil {
		return err
	}
	return zw.Close()
}

// offsetWriter appends to the file where the entries end, over the old trailer.
type offsetWriter struct{ in *incoming }

func (o *offsetWriter) Write(p []byte) (int, error) {
	n, err := o.in.file.WriteAt(p, o.in.size)
	o.in.size += int64(n)
	if err != nil {
		return n, &writeError{err}
	}
	return n, nil
}
