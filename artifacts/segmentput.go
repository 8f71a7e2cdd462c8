package artifacts

import bolt "go.etcd.io/bbolt"

// store writes a group: to the store's own file or, when the set is a large one, to a segment.
func (in *intake) store(g *group) error {
	if in.segment == nil && g.fresh() < segmentMin {
		return in.index(g)
	}
	return in.storeApart(g)
}

// fresh is how many bytes a group has that the store did not have.
func (g *group) fresh() (n int) {
	for _, c := range g.chunks {
		if !c.known {
			n += c.to - c.from
		}
	}
	return n
}

func (in *intake) index(g *group) error {
	return in.s.lane.writeBulk(in.ctx, func(tx *bolt.Tx) error { return in.writeGroup(tx, g) })
}

// storeApart writes what is new of a group to the segment. What the store has is used at once, or the collector could
// take it; the files wait for the end of the segment.
func (in *intake) storeApart(g *group) (err error) {
	if in.segment == nil {
		if in.segment, err = in.s.newSegment(in.ctx); err != nil {
			return err
		}
	}
	if g.fresh() > 0 {
		if err := in.segment.write(g); err != nil {
			return err
		}
	}
	known := &group{arena: g.arena}
	for _, c := range g.chunks {
		if c.known {
			known.chunks = append(known.chunks, c)
		} else {
			in.pending.chunks = append(in.pending.chunks, c)
		}
	}
	in.pending.files = append(in.pending.files, g.files...)
	if len(known.chunks) > 0 {
		if err := in.index(known); err != nil {
			return err
		}
	}
	if in.segment.bytes >= segmentBytes || len(in.pending.files) >= segmentFiles {
		return in.endSegment()
	}
	return nil
}

// endSegment makes the segment durable, then brings its chunks and the files that wait for them into the index.
func (in *intake) endSegment() error {
	segment, all := in.segment, in.pending
	if segment == nil {
		return nil
	}
	in.segment, in.pending = nil, group{}
	defer segment.release()
	if err := segment.seal(); err != nil {
		return err
	}
	for more := true; more; more = len(all.chunks)+len(all.files) > 0 {
		part := &group{segment: segment.id}
		n := min(len(all.chunks), maxGroupChunks)
		part.chunks, all.chunks = all.chunks[:n], all.chunks[n:]
		if len(all.chunks) == 0 {
			n = min(len(all.files), maxGroupRows)
			part.files, all.files = all.files[:n], all.files[n:]
		}
		if err := in.index(part); err != nil {
			return err
		}
	}
	return nil
}
