package artifacts

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	defaultChunkBytes  = 1 << 20
	minChunkBytes      = 64 << 10
	maxChunkBytes      = 8 << 20
	defaultLockTimeout = 2 * time.Second
	pageBytes          = 32 << 10
	// allocBytes is by how much the file grows at a time: each step costs an fsync of its own.
	allocBytes = 32 << 20
	// mapBytes is address space, not memory. Growing the map waits for every reader, so it is reserved at once.
	mapBytes = 64 << 30
	// putSlots bounds the memory of puts: each holds a group, and one of them two. The disk is busy with one.
	putSlots = 2
)

// Options tune a store. The zero value is right.
type Options struct {
	ChunkBytes  int              // size of a chunk, 64 KiB to 8 MiB; 0 is 1 MiB. May change between openings
	LockTimeout time.Duration    // how long Open waits for another process to let go of the file; 0 is 2 s
	CacheDir    string           // where caches lie; "" is the directory "caches" beside the file
	ReadOnly    bool             // for Check alone: nothing is written, made or upgraded
	Now         func() time.Time // default time.Now
	Logger      *slog.Logger     // default slog.Default()

	// Committed, if set, is told of each transaction that stands: how many writes shared it, and how long it took.
	Committed func(writes int, took time.Duration)
}

// Store is an open file of logs and sets. Its methods may be called from many goroutines.
type Store struct {
	dbFile
	lane       *committer
	now        func() time.Time
	log        *slog.Logger
	chunkBytes int

	enc *zstd.Encoder // EncodeAll only, which may be called concurrently
	dec *zstd.Decoder // DecodeAll only

	scratch sync.Pool // of *[]byte: compressed bytes on their way to dec
	blocks  sync.Pool // of *[]byte: blocks of logs on their way to the file

	pins    pins
	waiters waiters

	unmarked unmarked
	slots    chan struct{} // taken by a put
	overlap  chan struct{} // taken by the put that fills a group while another is written

	cacheDir string
	writing  sync.Map              // ids of the caches that are being written
	free     func() (int64, error) // bytes that the disk of cacheDir has left

	segmentDir string
	segments   sync.Mutex      // held while a row of a segment is made or removed
	filling    map[uint64]bool // segments that are being written

	background sync.WaitGroup // what nobody waits for but Close
	collecting sync.Mutex
	closeOnce  sync.Once
	closed     chan struct{}
}

// Open opens the store at path, makes it when there is none, and brings an older one up to date after copying it
// beside itself. It fails with ErrLocked when another process has the file and with ErrNewer when this program is
// too old for it.
func Open(path string, opts Options) (*Store, error) {
	return open(path, opts, formatVersion, migrations)
}

func open(path string, opts Options, version uint64, steps map[uint64]migration) (*Store, error) {
	opts, err := opts.withDefaults(path)
	if err != nil {
		return nil, err
	}
	file, err := openDB(path, bolt.Options{
		Timeout:         opts.LockTimeout,
		ReadOnly:        opts.ReadOnly,
		PageSize:        pageBytes,
		InitialMmapSize: initialMap(),
		FreelistType:    bolt.FreelistMapType,
		NoFreelistSync:  true,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("opening %s: %w; stop the other runner, or choose another data directory", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("opening artifact store %s: %w", path, err)
	}
	file.db.AllocSize = allocBytes
	s := &Store{
		dbFile: file, now: opts.Now, log: opts.Logger, chunkBytes: opts.ChunkBytes,
		slots: make(chan struct{}, putSlots), overlap: make(chan struct{}, 1), closed: make(chan struct{}),
		unmarked: unmarked{turn: make(chan struct{}, 1)},
		cacheDir: opts.CacheDir, segmentDir: path + ".segments", filling: make(map[uint64]bool),
	}
	s.free = s.freeBytes
	if err := s.start(version, steps, opts.Committed); err != nil {
		return nil, errors.Join(fmt.Errorf("opening artifact store %s: %w", path, err), file.db.Close())
	}
	return s, nil
}

func (s *Store) start(version uint64, steps map[uint64]migration, committed func(int, time.Duration)) error {
	var err error
	if err = prepare(s.db, version, steps, s.log); err != nil {
		return err
	}
	if s.enc, s.dec, err = newCodec(); err != nil {
		return err
	}
	s.lane = newCommitter(s.db, committed)
	s.sweepCaches()
	s.sweepSegments()
	return nil
}

func (o Options) withDefaults(path string) (Options, error) {
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(filepath.Dir(path), "caches")
	}
	if o.ChunkBytes == 0 {
		o.ChunkBytes = defaultChunkBytes
	}
	if o.ChunkBytes < minChunkBytes || o.ChunkBytes > maxChunkBytes {
		return o, fmt.Errorf("chunk size %d is out of range, want %d to %d bytes", o.ChunkBytes, minChunkBytes, maxChunkBytes)
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

func initialMap() int {
	size := int64(mapBytes)
	if strconv.IntSize == 32 {
		size = 256 << 20
	}
	return int(size)
}

// Close waits for the write that runs, wakes every reader with ErrClosed, and closes the file.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closed)
		s.background.Wait()
		s.lane.stop()
		err = s.db.Close()
		s.dec.Close()
		err = errors.Join(err, s.enc.Close())
	})
	return err
}

// view runs fn in a read transaction. What it reads of the file must be copied out; fn must be short.
func (s *Store) view(fn func(tx *bolt.Tx) error) error {
	err := guard(func() error { return s.db.View(fn) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// guard turns a panic of bbolt, which is how it meets a damaged page, into an error.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v; run runner check, and restore a backup", ErrDamaged, p)
		}
	}()
	return fn()
}
