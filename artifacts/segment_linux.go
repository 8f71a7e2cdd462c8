package artifacts

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting has the disk begin with what was written to a part of a file, so that little is left to wait for when the
// file is synced. It is a hint.
func startWriting(f *os.File, from, to int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, to-from, unix.SYNC_FILE_RANGE_WRITE)
}

// holeBytes is what a hole is made of on any file system.
const holeBytes = 4 << 10

// makeHole frees what lies between two places of a file, but for the edges that are no whole blocks.
func makeHole(f *os.File, from, to int64) {
	from, to = (from+holeBytes-1)/holeBytes*holeBytes, to/holeBytes*holeBytes
	if from < to {
		_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
	}
}
