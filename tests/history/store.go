package history

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schemaVersion is the version of the buckets. An older binary refuses a newer file. Version 2 marks results of tests in
// quarantine, and reads what version 1 wrote.
const schemaVersion = 2

// Format is that version, for who asks whether a binary can read what another one writes.
const Format = schemaVersion

var (
	bucketMeta   = []byte("meta")
	bucketBuilds = []byte("builds")
	bucketBlobs  = []byte("blobs")
	bucketLoose  = []byte("loose")
	bucketTrends = []byte("trends")

	bucketFailing = []byte("failing") // the failures of a build that are explained
)

// ErrNotFound means that nothing is kept of a build or a test.
var ErrNotFound = errors.New("not found")

// Bounds of what is kept. What is over them is left out, and told of as a problem of the report.
const (
	// MaxCases is how many cases one build keeps, over all jobs, attempts and report files.
	MaxCases = 1_000_000
	// MaxCaseBytes is how many bytes they take before they are compressed: each is written, sorted and read several times,
	// and the reports of other builds wait meanwhile.
	MaxCaseBytes = 1 << 30
	// MaxCoverage is how much memory the coverage of one build may take, in bytes.
	MaxCoverage = 16 << 20
	// MaxGroups is how many report groups one build shows.
	MaxGroups = 1000
	// maxProblems is how many problems are told one by one.
	maxProblems = 100
)

// Store is an open tests.db. Reading is safe at any time; an Intake and Finish write, one at a time.
type Store struct {
	db       *bbolt.DB
	pack     *zstd.Encoder
	unpack   *zstd.Decoder
	writing  sync.Mutex   // held by whoever writes blobs
	reading  sync.RWMutex // held while a page is read, so that no blob goes meanwhile
	maxCases int
	maxBytes int64
	runBytes int
}

// lockWait bounds how long another process may hold the file.
const lockWait = 3 * time.Second

// Open opens or makes the file, and removes what an intake left that was never committed.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, InitialMmapSize: 64 << 20, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("opening %s: another runner holds it; stop that one, or name another data directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s := &Store{db: db, maxCases: MaxCases, maxBytes: MaxCaseBytes, runBytes: runBytes}
	s.pack, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err == nil {
		s.unpack, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	}
	if err == nil {
		err = db.Update(prepare)
	}
	if err == nil {
		err = s.dropLoose()
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return s, nil
}

func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketBuilds, bucketBlobs, bucketLoose, bucketTrends, bucketFailing} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	v := meta.Get([]byte("version"))
	if v == nil || binary.BigEndian.Uint64(v) < schemaVersion {
		return meta.Put([]byte("version"), number(schemaVersion))
	}
	if got := binary.BigEndian.Uint64(v); got > schemaVersion {
		return fmt.Errorf("it has version %d of the tests' history, this binary knows %d; use the newer binary that wrote it", got, schemaVersion)
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.unpack.Close()
	return s.db.Close()
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// decodeNumber is what number encoded; 0 for nothing.
func decodeNumber(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// buildKey sorts the builds of a project by number. Names hold no NUL.
func buildKey(project string, n int) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(project), 0), uint64(n))
}

func getRow(tx *bbolt.Tx, key []byte) (*row, error) {
	raw := tx.Bucket(bucketBuilds).Get(key)
	if raw == nil {
		return nil, ErrNotFound
	}
	r := new(row)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("reading the row of a build: %w", err)
	}
	return r, nil
}

func putRow(tx *bbolt.Tx, r *row) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding the row of a build: %w", err)
	}
	return tx.Bucket(bucketBuilds).Put(buildKey(r.Build.Project, r.Build.Number), raw)
}

// row reads a build's row.
func (s *Store) row(project string, n int) (r *row, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err = getRow(tx, buildKey(project, n))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the tests of build %s#%d: %w", project, n, err)
	}
	return r, nil
}
