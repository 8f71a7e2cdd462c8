package artifacts

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Set is the files that one job left.
type Set struct {
	ID      string
	Name    string
	Created time.Time
	Bytes   int64    // content of all files
	Count   int      // entries: files, directories and links
	Files   []File   // by path; only Store.Set fills it
	Notes   []string // what was left out when the set was stored, and why
}

// File is one entry of a set.
type File struct {
	Path    string      // relative, with slashes; any bytes but NUL
	Size    int64       // bytes
	Mode    fs.FileMode // permissions, and fs.ModeDir or fs.ModeSymlink
	ModTime time.Time   // to the second, UTC
	SHA256  string      // of the content, in hex; empty but for regular files
	Link    string      // target of a symbolic link; it stays within the set
}

func (row *setRow) public(id string) Set {
	return Set{ID: id, Name: row.Name, Created: time.Unix(0, row.Created).UTC(), Bytes: row.Bytes, Count: row.Files, Notes: row.Notes}
}

func (f *fileRow) public(name string) File {
	return File{Path: name, Size: f.Size, Mode: fs.FileMode(f.Mode), ModTime: f.modTime(), SHA256: hex.EncodeToString(f.SHA), Link: string(f.Link)}
}

// Set returns set id with all its files, or an error that wraps fs.ErrNotExist.
func (s *Store) Set(id string) (Set, error) {
	row, release, err := s.pinSet(id)
	if err != nil {
		return Set{}, err
	}
	defer release()
	set := row.public(id)
	set.Files = make([]File, 0, row.Files)
	err = s.eachFile(context.Background(), row.Gen, func(name string, f *fileRow) error {
		set.Files = append(set.Files, f.public(name))
		return nil
	})
	if err != nil {
		return Set{}, fmt.Errorf("reading artifact set %q: %w", id, err)
	}
	return set, nil
}

// RemoveSet removes set id. Who reads it, reads it to its end; Collect frees the space afterwards. Removing what is
// not there is no error.
func (s *Store) RemoveSet(ctx context.Context, id string) error {
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		_, err := dropSet(tx, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing artifact set %q: %w", id, err)
	}
	return nil
}

// dropSet makes set id garbage and returns its generation, or 0 when there is no such set, or another id shares it.
func dropSet(tx *bolt.Tx, id string) (uint64, error) {
	row, err := readSet(tx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	last, err := letGo(tx, row.Gen, id)
	gen := row.Gen
	if !last {
		gen = 0
	}
	return gen, errors.Join(
		err,
		tx.Bucket(ageBucket).Delete(ageKey(row.Created, kindSet, id)),
		addTotals(tx, totals{Sets: -1, SetBytes: -row.Bytes}),
		tx.Bucket(setsBucket).Delete([]byte(id)))
}

func putSet(tx *bolt.Tx, id string, row *setRow) error {
	v, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return tx.Bucket(setsBucket).Put([]byte(id), v)
}

// pinSet returns the row of set id with its generation pinned until release is called.
func (s *Store) pinSet(id string) (row *setRow, release func(), err error) {
	for {
		err = s.view(func(tx *bolt.Tx) (err error) {
			row, err = readSet(tx, id)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if s.pins.take(row.Gen) {
			return row, s.pins.release(row.Gen), nil
		}
	}
}

func manifest(tx *bolt.Tx, gen uint64) (*bolt.Bucket, error) {
	b := tx.Bucket(manifestsBucket).Bucket(key(gen))
	if b == nil {
		return nil, fmt.Errorf("%w: the manifest of generation %d is missing", ErrDamaged, gen)
	}
	return b, nil
}

func manifestFiles(tx *bolt.Tx, gen uint64) (*bolt.Bucket, error) {
	m, err := manifest(tx, gen)
	if err != nil {
		return nil, err
	}
	if m = m.Bucket(filesKey); m == nil {
		return nil, fmt.Errorf("%w: generation %d has no files", ErrDamaged, gen)
	}
	return m, nil
}

// eachFile calls fn with every file of a generation, by path, outside of any transaction.
func (s *Store) eachFile(ctx context.Context, gen uint64, fn func(name string, f *fileRow) error) error {
	return s.pages(ctx, func(tx *bolt.Tx) (*bolt.Bucket, error) { return manifestFiles(tx, gen) }, func(k, v []byte) error {
		f, err := parseFile(v)
		if err != nil {
			return fmt.Errorf("%.200q: %w", k, err)
		}
		return fn(string(k), f)
	})
}
