package artifacts

import (
	"encoding/json"

	bolt "go.etcd.io/bbolt"
)

// accountTries is how often the books are read in short transactions, hoping that nobody writes meanwhile.
const accountTries = 3

// books are what references and totals must be, counted from what they are about.
type books struct {
	refs       map[uint64]uint64 // chunk → generations that use it
	has        map[uint64]uint64 // chunk → references its row has
	lie        map[uint64]uint64 // segment → chunks that lie in it
	said       map[uint64]uint64 // segment → chunks that its row counts
	sum, total totals
}

// accounts compares references and totals. They are true of a moment only: so the rows are read in short
// transactions, and again when something was written in between. On a store that never rests they are at last read
// in one transaction, which passes over rows alone and no content.
func (c *checker) accounts() error {
	for range accountTries {
		b, still, err := c.count(c.each)
		if err != nil {
			return err
		}
		if still {
			c.compare(b)
			return nil
		}
	}
	return c.s.view(func(tx *bolt.Tx) error {
		b, _, err := c.count(func(_ int, bucket func(*bolt.Tx) *bolt.Bucket, fn func(*bolt.Tx, []byte, []byte)) error {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			in := bucket(tx)
			if in == nil {
				return nil
			}
			return in.ForEach(func(k, v []byte) error { fn(tx, k, v); return nil })
		})
		if err == nil {
			c.compare(b)
		}
		return err
	})
}

type eachFunc func(rows int, bucket func(*bolt.Tx) *bolt.Bucket, fn func(tx *bolt.Tx, k, v []byte)) error

// count adds everything up, and reports whether it was all of one moment.
func (c *checker) count(each eachFunc) (*books, bool, error) {
	b := &books{refs: map[uint64]uint64{}, has: map[uint64]uint64{}, lie: map[uint64]uint64{}, said: map[uint64]uint64{}}
	var first, last int
	steps := []func() error{
		func() error {
			return each(checkRows, named(metaBucket), func(tx *bolt.Tx, _, _ []byte) { first = tx.ID(); b.total, _ = readTotals(tx) })
		},
		func() error { return b.countSets(each) },
		func() error { return b.countLogs(each) },
		func() error { return b.countChunks(each) },
		func() error {
			return each(checkRows, named(segmentsBucket), func(_ *bolt.Tx, k, v []byte) {
				id, _ := number(k)
				b.said[id], _ = number(v)
			})
		},
		func() error {
			return each(checkRows, named(metaBucket), func(tx *bolt.Tx, _, _ []byte) { last = tx.ID() })
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, false, err
		}
	}
	return b, first == last, nil
}

func (b *books) countSets(each eachFunc) error {
	err := each(checkRows, named(setsBucket), func(_ *bolt.Tx, _, v []byte) {
		var row setRow
		if json.Unmarshal(v, &row) == nil {
			b.sum.Sets++
			b.sum.SetBytes += row.Bytes
		}
	})
	if err != nil {
		return err
	}
	var gens []uint64
	err = each(checkRows, named(manifestsBucket), func(_ *bolt.Tx, k, _ []byte) {
		gen, _ := number(k)
		gens = append(gens, gen)
	})
	for _, gen := range gens {
		if err != nil {
			return err
		}
		err = each(checkRows, func(tx *bolt.Tx) *bolt.Bucket {
			m, err := manifest(tx, gen)
			if err != nil {
				return nil
			}
			return m.Bucket(usesKey)
		}, func(_ *bolt.Tx, k, _ []byte) {
			id, _ := number(k)
			b.refs[id]++
		})
	}
	return err
}

func (b *books) countLogs(each eachFunc) error {
	err := each(checkRows, named(logsBucket), func(_ *bolt.Tx, _, v []byte) {
		var row logRow
		if ok, err := decode(v, &row); ok && err == nil {
			b.sum.Logs++
			b.sum.LogBytes += row.Bytes
		}
	})
	if err != nil {
		return err
	}
	var gens [][]byte
	err = each(checkRows, named(blocksBucket), func(_ *bolt.Tx, k, _ []byte) { gens = append(gens, append([]byte(nil), k...)) })
	for _, gen := range gens {
		if err != nil {
			return err
		}
		err = each(checkRows, func(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket(blocksBucket).Bucket(gen) },
			func(_ *bolt.Tx, _, v []byte) { b.sum.LogStored += int64(len(v)) })
	}
	return err
}

func (b *books) countChunks(each eachFunc) error {
	return each(checkRows, named(chunksBucket), func(_ *bolt.Tx, k, v []byte) {
		var row chunkRow
		if ok, err := decode(v, &row); !ok || err != nil {
			return
		}
		id, _ := number(k)
		b.has[id] = row.Refs
		if segment, _ := placed(row.Group); segment > 0 {
			b.lie[segment]++
		}
		b.sum.Chunks++
		b.sum.ChunkBytes += int64(row.Raw)
		b.sum.ChunkStored += int64(row.Stored)
	})
}

func (c *checker) compare(b *books) {
	for id, has := range b.has {
		if b.refs[id] != has {
			c.problem("chunk %d counts %d references, but has %d", id, has, b.refs[id])
		}
	}
	for id := range b.refs {
		if _, ok := b.has[id]; !ok {
			c.problem("chunk %d is used, but not there", id)
		}
	}
	for id, n := range b.said {
		if b.lie[id] != n {
			c.problem("segment %d counts %d chunks, but has %d", id, n, b.lie[id])
		}
	}
	for id := range b.lie {
		if _, ok := b.said[id]; !ok {
			c.problem("segment %d has chunks, but no row", id)
		}
	}
	if b.sum != b.total {
		c.problem("the totals say %+v, but there is %+v", b.total, b.sum)
	}
}
