package artifacts

import (
	"os"

	bolt "go.etcd.io/bbolt"
)

// Stats are sizes in bytes, and counts.
type Stats struct {
	Sets, Logs  int64
	SetBytes    int64 // content of all sets
	LogBytes    int64 // content of all logs
	Chunks      int64
	ChunkBytes  int64 // content of chunks: SetBytes after deduplication, and garbage
	ChunkStored int64 // the same after compression
	LogStored   int64 // log blocks after compression, and garbage
	FileBytes   int64 // size of the database file and of the segments beside it
	FreeBytes   int64 // what of the file is free to be filled anew
}

// Stats returns what the store holds. It costs two look-ups and a listing.
func (s *Store) Stats() (Stats, error) {
	var t totals
	err := s.view(func(tx *bolt.Tx) (err error) {
		t, err = readTotals(tx)
		return err
	})
	if err != nil {
		return Stats{}, err
	}
	info, err := os.Stat(s.db.Path())
	if err != nil {
		return Stats{}, err
	}
	free := s.db.Stats()
	files, err := s.segmentFiles()
	if err != nil {
		return Stats{}, err
	}
	size := info.Size()
	for _, n := range files {
		size += n
	}
	return Stats{
		Sets: t.Sets, Logs: t.Logs, SetBytes: t.SetBytes, LogBytes: t.LogBytes,
		Chunks: t.Chunks, ChunkBytes: t.ChunkBytes, ChunkStored: t.ChunkStored, LogStored: t.LogStored,
		FileBytes: size, FreeBytes: int64(free.FreePageN+free.PendingPageN) * int64(s.db.Info().PageSize),
	}, nil
}
