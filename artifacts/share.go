package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Share names a log or an artifact set that is to have a second id.
type Share struct {
	From, To string
	Log      bool // a log, which must be sealed; else a set
}

// Share gives logs and sets further ids, all of them in one commit or none. Nothing is copied: what both ids name is stored
// once, and stays until each of them is removed or has expired; the new one's age counts from now. Sharing again changes
// nothing. What is not there is an error that wraps fs.ErrNotExist.
func (s *Store) Share(ctx context.Context, shares []Share) error {
	for _, sh := range shares {
		if err := checkID("shared", sh.To); err != nil {
			return err
		}
	}
	now := s.now().UnixNano()
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		for _, sh := range shares {
			share := shareSet
			if sh.Log {
				share = shareLog
			}
			if err := share(tx, sh, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sharing what a build left: %w", err)
	}
	return nil
}

func shareSet(tx *bolt.Tx, sh Share, now int64) error {
	row, err := readSet(tx, sh.From)
	if err != nil {
		return err
	}
	if former, err := readSet(tx, sh.To); err == nil && former.Gen == row.Gen {
		return nil
	}
	if _, err := dropSet(tx, sh.To); err != nil {
		return err
	}
	row.Created = now
	return errors.Join(
		tx.Bucket(sharesBucket).Put(shareKey(row.Gen, sh.To), []byte{}),
		tx.Bucket(ageBucket).Put(ageKey(now, kindSet, sh.To), []byte{}),
		addTotals(tx, totals{Sets: 1, SetBytes: row.Bytes}),
		putSet(tx, sh.To, row))
}

func shareLog(tx *bolt.Tx, sh Share, now int64) error {
	row, err := readLog(tx, sh.From)
	if err != nil {
		return err
	}
	if !row.Sealed {
		return fmt.Errorf("log %q is still being written, and only one that has ended can be shared", sh.From)
	}
	if former, err := readLog(tx, sh.To); err == nil && former.Gen == row.Gen {
		return nil
	}
	if _, err := dropLog(tx, sh.To); err != nil {
		return err
	}
	row.Created, row.Updated = now, now
	return errors.Join(
		tx.Bucket(sharesBucket).Put(shareKey(row.Gen, sh.To), []byte{}),
		tx.Bucket(ageBucket).Put(ageKey(now, kindLog, sh.To), []byte{}),
		addTotals(tx, totals{Logs: 1, LogBytes: row.Bytes}),
		tx.Bucket(logsBucket).Put([]byte(sh.To), encode(&row)))
}

// shareKey is the key of one of the ids that a generation has besides that of its own row.
func shareKey(gen uint64, id string) []byte { return append(key(gen), id...) }

// letGo takes an id from a generation, and makes that garbage when it was the last. It tells whether it was.
func letGo(tx *bolt.Tx, gen uint64, id string) (last bool, err error) {
	shares := tx.Bucket(sharesBucket)
	prefix := key(gen)
	k, _ := shares.Cursor().Seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return true, setState(tx, gen, stateDoomed)
	}
	b := tx.Bucket(gensBucket)
	g, err := parseGen(b.Get(prefix))
	if err != nil {
		return false, err
	}
	if g.id != id {
		return false, shares.Delete(shareKey(gen, id))
	}
	k = bytes.Clone(k)
	g.id = string(k[len(prefix):]) // whose it is from now on
	return false, errors.Join(shares.Delete(k), b.Put(prefix, g.bytes()))
}

// RemoveBelow removes all logs and sets whose ids begin with prefix.
func (s *Store) RemoveBelow(ctx context.Context, prefix string) error {
	var ids []string
	err := s.view(func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{logsBucket, setsBucket} {
			c := tx.Bucket(bucket).Cursor()
			for k, _ := c.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
				ids = append(ids, string(k))
			}
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.Remove(ctx, ids)
}

// shares looks from each further id to the log or set that has it.
func (c *checker) shares() error {
	return c.each(checkRows, named(sharesBucket), func(tx *bolt.Tx, k, _ []byte) {
		if len(k) < 9 {
			c.problem("share %x names nothing", k)
			return
		}
		gen, _ := number(k[:8])
		g, err := parseGen(tx.Bucket(gensBucket).Get(k[:8]))
		if err != nil || g.state != stateVisible || headerGen(tx, g.kind, string(k[8:])) != gen {
			c.problem("generation %d is shared by %q, which does not have it", gen, k[8:])
		}
	})
}

// isShared tells whether an id is a further one of a generation.
func isShared(tx *bolt.Tx, gen uint64, id string) bool {
	return tx.Bucket(sharesBucket).Get(shareKey(gen, id)) != nil
}
