package pack

import "github.com/go-git/go-git/v5/plumbing"

// Bases tells, for each object that is stored as a delta, on which object it stands.
func (p *Pack) Bases(each func(id, base ID)) error {
	order, err := p.order()
	if err != nil {
		return err
	}
	rank := make(map[int64]int, len(order))
	for i, at := range order {
		rank[at.offset] = at.pos
		h, ok := parseHeader(p.entry(order, i))
		if !ok {
			return p.corrupt(at.offset, "no object begins here")
		}
		switch h.kind {
		case plumbing.REFDeltaObject:
			each(p.idx.id(at.pos), h.base)
		case plumbing.OFSDeltaObject:
			pos, ok := rank[at.offset-h.distance]
			if !ok {
				return p.corrupt(at.offset, "a delta's base is missing")
			}
			each(p.idx.id(at.pos), p.idx.id(pos))
		}
	}
	return nil
}
