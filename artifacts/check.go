package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// checkRows is how many rows one transaction of Check looks at; of chunks it is one.
const checkRows = 64

// Check reads the whole store and reports, in a sentence each, where it is not as it must be: every set and log has
// its generation, and every further id that shares one; every file's chunks exist, are counted and long enough; every chunk has the bytes its hash names;
// every log reads to its end, and has its lines where its marks say; references and totals add up; every cache has the file that was stored for it; nothing
// lies there that nothing names. It may run while the store is used, and returns an error only when it could not do
// its work.
func (s *Store) Check(ctx context.Context, report func(problem string)) error {
	c := &checker{s: s, ctx: ctx, report: report}
	return errors.Join(
		c.generations(), c.headers(), c.shares(), c.logs(), c.chunks(), c.content(), c.accounts(), c.segments(), c.caches(), c.layers())
}

type checker struct {
	s      *Store
	ctx    context.Context
	report func(string)
}

func (c *checker) problem(format string, args ...any) { c.report(fmt.Sprintf(format, args...)) }

// each calls fn with every row of a bucket, in transactions of up to rows rows each. A bucket that went meanwhile
// is a bucket without rows.
func (c *checker) each(rows int, bucket func(*bolt.Tx) *bolt.Bucket, fn func(tx *bolt.Tx, k, v []byte)) error {
	var after []byte
	for more := true; more; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		err := c.s.view(func(tx *bolt.Tx) error {
			more = false
			b := bucket(tx)
			if b == nil {
				return nil
			}
			cur := b.Cursor()
			k, v := cur.Seek(after)
			if k != nil && after != nil && bytes.Equal(k, after) {
				k, v = cur.Next()
			}
			for n := 0; k != nil; k, v = cur.Next() {
				if n++; n > rows {
					more = true
					return nil
				}
				fn(tx, k, v)
				after = bytes.Clone(k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func named(name []byte) func(*bolt.Tx) *bolt.Bucket {
	return func(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket(name) }
}

// generations looks from each generation to its header and its bucket, and at the files of sets.
func (c *checker) generations() error {
	var sets []uint64
	err := c.each(checkRows, named(gensBucket), func(tx *bolt.Tx, k, v []byte) {
		gen, _ := number(k)
		g, err := parseGen(v)
		if err != nil {
			c.problem("generation %d: %v", gen, err)
			return
		}
		if g.state == stateVisible && headerGen(tx, g.kind, g.id) != gen {
			c.problem("generation %d is visible, but %q has another one", gen, g.id)
		}
		switch {
		case g.kind == kindLog && tx.Bucket(blocksBucket).Bucket(k) == nil:
			c.problem("generation %d of log %q has no blocks", gen, g.id)
		case g.kind == kindLog && g.state == stateVisible && isMarked(tx, g.id) && logMarks(tx, gen) == nil:
			c.problem("generation %d of log %q has no marks", gen, g.id)
		case g.kind == kindSet && tx.Bucket(manifestsBucket).Bucket(k) == nil:
			c.problem("generation %d of set %q has no manifest", gen, g.id)
		case g.kind == kindSet && g.state == stateVisible:
			sets = append(sets, gen)
		}
	})
	for _, gen := range sets {
		err = errors.Join(err, c.files(gen))
	}
	for _, name := range [][]byte{manifestsBucket, blocksBucket, marksBucket} {
		err = errors.Join(err, c.each(checkRows, named(name), func(tx *bolt.Tx, k, _ []byte) {
			if tx.Bucket(gensBucket).Get(k) == nil {
				c.problem("%s %x belong to no generation", name, k)
			}
		}))
	}
	return err
}

func headerGen(tx *bolt.Tx, kind byte, id string) uint64 {
	if kind == kindLog {
		row, _ := readLog(tx, id)
		return row.Gen
	}
	if row, err := readSet(tx, id); err == nil {
		return row.Gen
	}
	return 0
}

func isMarked(tx *bolt.Tx, log string) bool {
	row, _ := readLog(tx, log)
	return row.Marked
}

// files looks at the manifest of a visible set.
func (c *checker) files(gen uint64) error {
	var sum setRow
	var id string
	err := c.each(checkRows, func(tx *bolt.Tx) *bolt.Bucket {
		g, err := parseGen(tx.Bucket(gensBucket).Get(key(gen)))
		if err != nil || g.state != stateVisible {
			id = ""
			return nil // removed since; the collector may have begun
		}
		id = g.id
		files, err := manifestFiles(tx, gen)
		if err != nil {
			c.problem("set %q: %v", id, err)
		}
		return files
	}, func(tx *bolt.Tx, k, v []byte) {
		f, err := parseFile(v)
		if err == nil {
			sum.Files++
			sum.Bytes += f.Size
			err = checkFile(tx, gen, f)
		}
		if err != nil {
			c.problem("file %.200q of set %q: %v", k, id, err)
		}
	})
	if err != nil || id == "" {
		return err
	}
	return c.s.view(func(tx *bolt.Tx) error {
		row, err := readSet(tx, id)
		if err == nil && row.Gen == gen && (row.Bytes != sum.Bytes || row.Files != sum.Files) {
			c.problem("set %q says it has %d files and %d bytes, but has %d and %d", id, row.Files, row.Bytes, sum.Files, sum.Bytes)
		}
		return nil
	})
}

// checkFile looks up the chunks of a file.
func checkFile(tx *bolt.Tx, gen uint64, f *fileRow) error {
	uses := tx.Bucket(manifestsBucket).Bucket(key(gen)).Bucket(usesKey)
	if uses == nil {
		return errors.New("its set has no record of chunks")
	}
	for i := range f.chunkCount() {
		id := f.chunk(i)
		if uses.Get(key(id)) == nil {
			return fmt.Errorf("its chunk %d is not counted as used", id)
		}
		var row chunkRow
		if found, err := decode(tx.Bucket(chunksBucket).Get(key(id)), &row); err != nil || !found {
			return errors.Join(fmt.Errorf("its chunk %d is missing", id), err)
		}
		if need := min(f.Offset+f.Size-int64(i)*f.Span, f.Span); int64(row.Raw) < need {
			return fmt.Errorf("its chunk %d has %d bytes, want %d or more", id, row.Raw, need)
		}
	}
	return nil
}

// headers looks from each set and log to its generation and its age, and back from each age.
func (c *checker) headers() error {
	one := func(tx *bolt.Tx, kind byte, id string, gen uint64, created int64, err error) {
		g, genErr := parseGen(tx.Bucket(gensBucket).Get(key(gen)))
		switch {
		case err != nil:
			c.problem("%v", err)
		case genErr != nil || g.kind != kind || (g.id != id && !isShared(tx, gen, id)) || g.state != stateVisible:
			c.problem("%q has generation %d, which is not there for it", id, gen)
		case tx.Bucket(ageBucket).Get(ageKey(created, kind, id)) == nil:
			c.problem("%q would never expire: it has no age", id)
		}
	}
	return errors.Join(
		c.each(checkRows, named(setsBucket), func(tx *bolt.Tx, k, _ []byte) {
			row, err := readSet(tx, string(k))
			if err != nil {
				row = &setRow{}
			}
			one(tx, kindSet, string(k), row.Gen, row.Created, err)
		}),
		c.each(checkRows, named(logsBucket), func(tx *bolt.Tx, k, _ []byte) {
			row, err := readLog(tx, string(k))
			one(tx, kindLog, string(k), row.Gen, row.Created, err)
		}),
		c.each(checkRows, named(ageBucket), func(tx *bolt.Tx, k, _ []byte) {
			it, ok := parseAge(k)
			if !ok || headerGen(tx, it.kind, it.id) == 0 {
				c.problem("age %x belongs to nothing", k)
			}
		}))
}

// chunks looks at the indexes: hash to chunk, and bytes to chunk.
func (c *checker) chunks() error {
	err := c.each(checkRows, named(hashesBucket), func(tx *bolt.Tx, k, v []byte) {
		var row chunkRow
		if found, err := decode(tx.Bucket(chunksBucket).Get(v), &row); err != nil || !found || !bytes.Equal(row.Hash[:], k) {
			c.problem("hash %x names chunk %x, which is not there for it", k, v)
		}
	})
	var groups [][]byte
	err = errors.Join(err, c.each(checkRows, named(dataBucket), func(tx *bolt.Tx, k, _ []byte) {
		groups = append(groups, bytes.Clone(k))
	}))
	for _, group := range groups {
		err = errors.Join(err, c.each(checkRows, func(tx *bolt.Tx) *bolt.Bucket {
			return tx.Bucket(dataBucket).Bucket(group)
		}, func(tx *bolt.Tx, k, _ []byte) {
			var row chunkRow
			if found, err := decode(tx.Bucket(chunksBucket).Get(k), &row); err != nil || !found || !bytes.Equal(key(row.Group), group) {
				c.problem("bytes %x of group %x belong to no chunk", k, group)
			}
		}))
	}
	return err
}

// content reads every chunk and computes its hash.
func (c *checker) content() error {
	chunks := chunkReader{segments: segmentReader{s: c.s}}
	defer chunks.close()
	return c.s.pages(c.ctx, top(chunksBucket), func(k, _ []byte) error {
		id, _ := number(k)
		row, err := chunks.read(id)
		switch {
		case err != nil:
		case sha256.Sum256(chunks.buf) != row.Hash:
			err = errors.New("its content is not what its hash says")
		case !c.leads(row.Hash, k):
			err = errors.New("its hash does not lead to it")
		}
		if err != nil && c.s.has(chunksBucket, k) { // it may have been collected while we looked
			c.problem("chunk %d: %v", id, err)
		}
		return c.ctx.Err()
	})
}

// leads reports whether a hash leads to the chunk at k.
func (c *checker) leads(hash [32]byte, k []byte) (ok bool) {
	_ = c.s.view(func(tx *bolt.Tx) error {
		ok = bytes.Equal(tx.Bucket(hashesBucket).Get(hash[:]), k)
		return nil
	})
	return ok
}
