package source

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Options configure a Store. Zero values take the defaults that are named here.
type Options struct {
	Dir    string   // where mirrors and snapshots live; made when missing
	Worker []string // command line of the child process; empty: work in this process (for tests)

	MemoryBytes int64         // of one child; default 2 GiB, at least 128 MiB
	Timeout     time.Duration // of one child; default 15 minutes
	TreeBytes   int64         // of one snapshot; default 32 GiB
	TreeFiles   int           // of one snapshot; default 2 million
	MaxPacks    int           // of one mirror, before Maintain puts them together; default 20
	KeepCommits time.Duration // how long commits stay that no ref of the remote reaches any more; default 30 days

	Logger *slog.Logger
}

const (
	defaultMemory  = 2 << 30
	minimumMemory  = 128 << 20
	defaultTimeout = 15 * time.Minute
	defaultTree    = 32 << 30
	defaultFiles   = 2_000_000
	defaultPacks   = 20
	defaultKeep    = 30 * 24 * time.Hour
)

// Store holds mirrors and snapshots. Several processes may share one directory. It is safe for concurrent use.
type Store struct {
	opts     Options
	children chan struct{} // bounds the children that run at once
	turns    turns
	shelf    shelf
}

// Open makes the directories that are missing. It leaves nothing open: there is no Close.
func Open(opts Options) (*Store, error) {
	if opts.MemoryBytes <= 0 {
		opts.MemoryBytes = defaultMemory
	}
	opts.MemoryBytes = max(opts.MemoryBytes, minimumMemory)
	opts.Timeout = positive(opts.Timeout, defaultTimeout)
	opts.TreeBytes = positive(opts.TreeBytes, defaultTree)
	opts.TreeFiles = positive(opts.TreeFiles, defaultFiles)
	opts.MaxPacks = positive(opts.MaxPacks, defaultPacks)
	opts.KeepCommits = positive(opts.KeepCommits, defaultKeep)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil || opts.Dir == "" {
		return nil, fmt.Errorf("the directory for sources is not set or cannot be resolved: %q", opts.Dir)
	}
	opts.Dir = dir
	for _, d := range []string{"mirrors", "snapshots", "spares", "tmp"} {
		// Jobs of other users read snapshots through their mounts, so the way down is open to pass, not to list.
		mode := os.FileMode(0o711)
		if d != "snapshots" {
			mode = 0o700
		}
		if err := os.MkdirAll(filepath.Join(dir, d), mode); err != nil {
			return nil, fmt.Errorf("making the directory for sources: %w", err)
		}
	}
	return &Store{opts: opts, children: make(chan struct{}, runtime.GOMAXPROCS(0)+2)}, nil
}

func positive[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

func (s *Store) tmp() string { return filepath.Join(s.opts.Dir, "tmp") }
