// Package journal is an append-only file of records that survives a crash in mid-write: what was synced is read
// back, and half a record at the end is cut off.
//
// A record is its length and its CRC-32C, four little-endian bytes each, then its bytes.
package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// MaxRecord bounds one record in bytes; a longer length in the file is damage, not data.
const MaxRecord = 1 << 20

const headerSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Journal is an open file, positioned at its end. It is safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	file *os.File
	end  int64
}

// Open reads the records of the file at path, gives each to replay in order, cuts off what a crash left behind, and
// returns the journal ready to append. The file is created when it is missing.
func Open(path string, replay func(record []byte) error) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	end, err := read(bufio.NewReader(file), replay)
	if err == nil {
		err = file.Truncate(end)
	}
	if err == nil {
		_, err = file.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %s: %w", path, err), file.Close())
	}
	return &Journal{file: file, end: end}, nil
}

// read replays whole records and returns where the last one ends.
func read(r io.Reader, replay func([]byte) error) (int64, error) {
	var end int64
	for {
		record, err := next(r)
		if err != nil {
			return end, nil // the end, or what a crash left of a record
		}
		if err := replay(record); err != nil {
			return 0, fmt.Errorf("record at byte %d: %w", end, err)
		}
		end += headerSize + int64(len(record))
	}
}

func next(r io.Reader) ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length, sum := binary.LittleEndian.Uint32(header[:4]), binary.LittleEndian.Uint32(header[4:])
	if length == 0 || length > MaxRecord {
		return nil, fmt.Errorf("a length of %d bytes", length)
	}
	record := make([]byte, length)
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, err
	}
	if crc32.Checksum(record, castagnoli) != sum {
		return nil, errors.New("wrong sum")
	}
	return record, nil
}

// Append writes the records and syncs the file once. Either all of them are there afterwards or, after an error,
// none: the file is cut back.
func (j *Journal) Append(records ...[]byte) error {
	var buffer []byte
	for _, record := range records {
		if len(record) == 0 || len(record) > MaxRecord {
			return fmt.Errorf("a record has %d bytes, want 1 to %d", len(record), MaxRecord)
		}
		buffer = binary.LittleEndian.AppendUint32(buffer, uint32(len(record)))
		buffer = binary.LittleEndian.AppendUint32(buffer, crc32.Checksum(record, castagnoli))
		buffer = append(buffer, record...)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.WriteAt(buffer, j.end); err != nil {
		return errors.Join(err, j.file.Truncate(j.end))
	}
	if err := j.file.Sync(); err != nil {
		return errors.Join(err, j.file.Truncate(j.end))
	}
	j.end += int64(len(buffer))
	return nil
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}
