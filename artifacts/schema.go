package artifacts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// formatVersion is the layout this program writes; raise it with each change and add the step to migrations.
const formatVersion = 6

// Format is that layout's version, for who asks whether a program can read what another one writes.
const Format = formatVersion

// maxIDBytes bounds the ids of callers.
const maxIDBytes = 512

// migration brings a file from one version to the next, in the transaction that also records the new version.
type migration func(tx *bolt.Tx) error

// migrations holds, by the version it starts from, each step to the next.
var migrations = map[uint64]migration{
	1: func(tx *bolt.Tx) error { return makeBuckets(tx, cachesBucket, cacheNamesBucket, doomedCachesBucket) },
	2: func(tx *bolt.Tx) error { return makeBuckets(tx, segmentsBucket) },
	3: func(tx *bolt.Tx) error {
		return makeBuckets(tx, layersBucket, layerRefsBucket, layerHoldsBucket, earningsBucket)
	},
	4: func(tx *bolt.Tx) error { return makeBuckets(tx, sharesBucket) },
	5: func(tx *bolt.Tx) error { return makeBuckets(tx, marksBucket) }, // rows of logs grow when they are written
}

var (
	metaBucket      = []byte("meta")
	gensBucket      = []byte("gens")
	setsBucket      = []byte("sets")
	manifestsBucket = []byte("manifests")
	chunksBucket    = []byte("chunks")
	hashesBucket    = []byte("hashes")
	dataBucket      = []byte("data")
	logsBucket      = []byte("logs")
	blocksBucket    = []byte("blocks")
	marksBucket     = []byte("marks")
	ageBucket       = []byte("age")
	segmentsBucket  = []byte("segments")
	sharesBucket    = []byte("shares") // generation, id → nothing: the ids that share it with the id of its row

	cachesBucket       = []byte("caches")
	cacheNamesBucket   = []byte("cachenames")
	doomedCachesBucket = []byte("doomedcaches")

	layersBucket     = []byte("layers")
	layerRefsBucket  = []byte("layerrefs")
	layerHoldsBucket = []byte("layerholds")
	earningsBucket   = []byte("earnings")

	allBuckets = [][]byte{metaBucket, gensBucket, setsBucket, manifestsBucket, chunksBucket, hashesBucket, dataBucket,
		logsBucket, blocksBucket, marksBucket, ageBucket, segmentsBucket, cachesBucket, cacheNamesBucket, doomedCachesBucket,
		layersBucket, layerRefsBucket, layerHoldsBucket, earningsBucket, sharesBucket}

	filesKey   = []byte("files")
	usesKey    = []byte("uses")
	versionKey = []byte("version")
	totalsKey  = []byte("totals")
)

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func number(k []byte) (uint64, bool) {
	if len(k) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k), true
}

// prepare makes the buckets of a new file, or brings an older file to version; then it gives up what a crash left
// half written.
func prepare(db *bolt.DB, version uint64, steps map[uint64]migration, log *slog.Logger) error {
	return guard(func() error {
		found, err := readVersion(db)
		switch {
		case err != nil:
			return err
		case found > version:
			return fmt.Errorf("%w: its format is %d, this program knows up to %d; run the newer program, or restore the copy it made when it upgraded", ErrNewer, found, version)
		case db.IsReadOnly() && found != version:
			return fmt.Errorf("its format is %d, and %d is expected; the next start of the daemon upgrades it", found, version)
		case db.IsReadOnly():
			return nil
		case found == 0:
			err = db.Update(func(tx *bolt.Tx) error { return create(tx, version) })
		case found < version:
			err = migrate(db, found, version, steps, log)
		}
		if err != nil {
			return err
		}
		return doomUnfinished(db)
	})
}

// readVersion returns 0 for an empty file.
func readVersion(db *bolt.DB) (uint64, error) {
	var version uint64
	err := db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return errors.New("the file is a bbolt database, but not an artifact store; choose another path")
			}
			return nil
		}
		v, ok := number(meta.Get(versionKey))
		if !ok || v == 0 {
			return fmt.Errorf("%w: it has no version; restore a backup", ErrDamaged)
		}
		version = v
		return nil
	})
	return version, err
}

func create(tx *bolt.Tx, version uint64) error {
	if err := makeBuckets(tx, allBuckets...); err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(versionKey, key(version))
}

func makeBuckets(tx *bolt.Tx, names ...[]byte) error {
	for _, name := range names {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("making bucket %s: %w", name, err)
		}
	}
	return nil
}

// migrate copies the file first, then takes all steps in one transaction.
func migrate(db *bolt.DB, from, to uint64, steps map[uint64]migration, log *slog.Logger) error {
	backup := fmt.Sprintf("%s.v%d.bak", db.Path(), from)
	if err := copyTo(db, backup); err != nil {
		return fmt.Errorf("copying the store before its upgrade: %w", err)
	}
	log.Info("upgrading the artifact store", "from", from, "to", to, "backup", backup)
	return db.Update(func(tx *bolt.Tx) error {
		for v := from; v < to; v++ {
			step, ok := steps[v]
			if !ok {
				return fmt.Errorf("this program cannot upgrade format %d; upgrade through an older release first", v)
			}
			if err := step(tx); err != nil {
				return fmt.Errorf("upgrading from format %d: %w", v, err)
			}
		}
		return tx.Bucket(metaBucket).Put(versionKey, key(to))
	})
}

// copyTo writes a whole copy of db to path, or nothing.
func copyTo(db *bolt.DB, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it is gone
	err = db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// doomUnfinished leaves to Collect the generations that a former process was writing.
func doomUnfinished(db *bolt.DB) error {
	var left []uint64
	err := db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(gensBucket).ForEach(func(k, v []byte) error {
			if g, err := parseGen(v); err == nil && g.state == stateWriting {
				n, _ := number(k)
				left = append(left, n)
			}
			return nil
		})
	})
	if err != nil || len(left) == 0 {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		for _, gen := range left {
			if err := setState(tx, gen, stateDoomed); err != nil {
				return err
			}
		}
		return nil
	})
}
