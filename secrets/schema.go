package secrets

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schemaVersion is the version of the buckets below. An older binary refuses a newer file.
const schemaVersion = 1

// Buckets of secrets.db.
var (
	bucketMeta    = []byte("meta")    // version, check
	bucketSecrets = []byte("secrets") // name NUL project → row
	bucketValues  = []byte("values")  // name NUL project NUL version → sealed envelope
	bucketNumbers = []byte("numbers") // name NUL project → newest number, kept when the secret goes
	bucketAudit   = []byte("audit")   // sequence → Event
	bucketDenied  = []byte("denied")  // sequence of bucketAudit's → Event; apart, so that who asks in vain pushes nothing out
)

var allBuckets = [][]byte{bucketMeta, bucketSecrets, bucketValues, bucketNumbers, bucketAudit, bucketDenied}

var (
	metaVersion = []byte("version")
	metaCheck   = []byte("check") // an envelope of no secret, by which a wrong key is known
)

// row is a secret without its values.
type row struct {
	Name     string       `json:"name"`
	Project  string       `json:"project"`
	Refs     []string     `json:"refs,omitempty"`
	Versions []versionRow `json:"versions"` // oldest first; the last is AWSCURRENT, the one before it AWSPREVIOUS
}

type versionRow struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`
}

func secretKey(name, project string) []byte { return []byte(name + "\x00" + project) }

func valueKey(name, project, version string) []byte {
	return []byte(name + "\x00" + project + "\x00" + version)
}

func splitKey(key []byte) (name, project, version string) {
	name, rest, _ := strings.Cut(string(key), "\x00")
	project, version, _ = strings.Cut(rest, "\x00")
	return name, project, version
}

// lockWait bounds how long another process may hold the file.
const lockWait = 3 * time.Second

func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, ReadOnly: readOnly, InitialMmapSize: 64 << 20, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("opening %s: another runner holds it; stop that one, or name another data directory", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("opening %s: %w; run as the user that owns the data directory", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.MaxBatchDelay = time.Millisecond // a read waits for its audit record's commit
	if err := prepare(db, readOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return db, nil
}

func prepare(db *bbolt.DB, readOnly bool) error {
	if readOnly {
		return db.View(func(tx *bbolt.Tx) error {
			for _, name := range allBuckets {
				if tx.Bucket(name) == nil {
					return fmt.Errorf("it has no bucket %s: it is damaged, or no secret store; restore a backup", name)
				}
			}
			return knownVersion(tx.Bucket(bucketMeta).Get(metaVersion))
		})
	}
	return db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		if v := meta.Get(metaVersion); v != nil {
			if err := knownVersion(v); err != nil {
				return err
			}
		} else if err := meta.Put(metaVersion, number(schemaVersion)); err != nil {
			return err
		}
		for _, name := range allBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

func knownVersion(v []byte) error {
	if len(v) != 8 {
		return errors.New("it does not say its version: it is damaged, or no secret store; restore a backup")
	}
	if got := binary.BigEndian.Uint64(v); got > schemaVersion {
		return fmt.Errorf("it has version %d of the secret store, this binary knows %d; use the newer binary that wrote it", got, schemaVersion)
	}
	return nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// find reads a secret's row; nil when there is none.
func find(tx *bbolt.Tx, name, project string) (*row, error) {
	raw := tx.Bucket(bucketSecrets).Get(secretKey(name, project))
	if raw == nil {
		return nil, nil
	}
	r := new(row)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("reading the row of %s: %w; run runner check", shown(name), err)
	}
	return r, nil
}

func (r *row) put(tx *bbolt.Tx) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding the row of %s: %w", r.Name, err)
	}
	return tx.Bucket(bucketSecrets).Put(secretKey(r.Name, r.Project), raw)
}

// version finds a version by id or stage; nil when there is none.
func (r *row) version(id, stage string) *versionRow {
	if id == "" {
		at := len(r.Versions) - 1
		switch stage {
		case StageCurrent:
		case StagePrevious:
			at--
		default:
			return nil
		}
		if at < 0 {
			return nil
		}
		return &r.Versions[at]
	}
	for i := range r.Versions {
		if r.Versions[i].ID == id {
			return &r.Versions[i]
		}
	}
	return nil
}
