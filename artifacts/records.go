package artifacts

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Kinds and states of a generation, one byte each in its row.
const (
	kindSet = 's'
	kindLog = 'l'

	stateWriting = 'w'
	stateVisible = 'v'
	stateDoomed  = 'd'
)

// genRow is a row of gens. A generation is one writing of a set or a log; its id may be written anew while this one
// still has readers.
type genRow struct {
	kind, state byte
	id          string
}

func (g genRow) bytes() []byte { return append([]byte{g.kind, g.state}, g.id...) }

func parseGen(v []byte) (genRow, error) {
	if len(v) < 3 {
		return genRow{}, fmt.Errorf("%w: a generation's row has %d bytes", ErrDamaged, len(v))
	}
	return genRow{kind: v[0], state: v[1], id: string(v[2:])}, nil
}

// newGen makes a generation.
func newGen(tx *bolt.Tx, g genRow) (uint64, error) {
	b := tx.Bucket(gensBucket)
	gen, err := b.NextSequence()
	if err != nil {
		return 0, err
	}
	return gen, b.Put(key(gen), g.bytes())
}

func setState(tx *bolt.Tx, gen uint64, state byte) error {
	b := tx.Bucket(gensBucket)
	g, err := parseGen(b.Get(key(gen)))
	if err != nil {
		return err
	}
	g.state = state
	return b.Put(key(gen), g.bytes())
}

// chunkRow is a row of chunks. Refs counts the generations that use the chunk, once each.
type chunkRow struct {
	Hash   [32]byte
	Group  uint64
	Raw    uint32 // bytes of content
	Stored uint32 // bytes in data
	CRC    uint32 // Castagnoli, of the stored bytes: checked at every read, the hash by Check
	Codec  uint8
	Refs   uint64
}

// logRow is a row of logs.
type logRow struct {
	Gen       uint64
	Bytes     int64
	LastFrame uint64
	Created   int64 // Unix, ns
	Updated   int64
	Stored    int64 // bytes in blocks
	TailStart int64 // where the pieces begin that are not yet folded into a block
	TailCount uint32
	Sealed    bool

	// Of a log that has marks, and 0 in rows of formats before 6:
	Marked     bool
	Open       bool  // the last byte is no line end
	Lines      int64 // line ends
	MarkOffset int64 // of the newest mark
	MarkTime   int64
}

// shortLogRow is how many bytes a logRow had before there were marks.
const shortLogRow = 61

// totals are kept with every write, so that statistics and retention need no scan.
type totals struct {
	Sets, SetBytes                  int64
	Chunks, ChunkBytes, ChunkStored int64
	Logs, LogBytes, LogStored       int64
}

// setRow is a row of sets.
type setRow struct {
	Gen     uint64   `json:"gen"`
	Name    string   `json:"name,omitempty"`
	Created int64    `json:"created"` // Unix, ns
	Bytes   int64    `json:"bytes"`
	Files   int      `json:"files"`
	Notes   []string `json:"notes,omitempty"`
}

// fileRow is a row of a manifest. Byte p of the file is byte (Offset+p) % Span of chunk (Offset+p) / Span.
type fileRow struct {
	Mode   uint32 `json:"m"` // fs.FileMode: permissions, and the type bits of a directory or a link
	Time   int64  `json:"t"` // Unix, s
	Size   int64  `json:"s,omitempty"`
	SHA    []byte `json:"h,omitempty"`
	Link   []byte `json:"l,omitempty"` // bytes: a target need not be UTF-8
	Chunks []byte `json:"c,omitempty"` // 8 bytes each
	Offset int64  `json:"o,omitempty"`
	Span   int64  `json:"z,omitempty"`
}

func (f *fileRow) chunkCount() int       { return len(f.Chunks) / 8 }
func (f *fileRow) chunk(i int) uint64    { return binary.BigEndian.Uint64(f.Chunks[8*i:]) }
func (f *fileRow) modTime() time.Time    { return time.Unix(f.Time, 0).UTC() }
func (f *fileRow) reach() (chunks int64) { return (f.Offset + f.Size + f.Span - 1) / max(f.Span, 1) }

func parseFile(v []byte) (*fileRow, error) {
	f := &fileRow{}
	if err := json.Unmarshal(v, f); err != nil {
		return nil, fmt.Errorf("%w: a file's row: %w", ErrDamaged, err)
	}
	const most = 1 << 60 // so that sums stay sums
	placed := f.Span > 0 && f.Span <= maxChunkBytes && len(f.Chunks)%8 == 0 && int64(f.chunkCount()) == f.reach()
	if f.Size < 0 || f.Size > most || f.Offset < 0 || f.Offset > most || f.Size > 0 && !placed {
		return nil, fmt.Errorf("%w: a file's row does not add up", ErrDamaged)
	}
	return f, nil
}

// encode writes a row of fixed size: chunkRow, logRow or totals.
func encode(row any) []byte {
	b, _ := binary.Append(nil, binary.BigEndian, row) // fails only for a type of variable size
	return b
}

// decode reads a row of fixed size. It reports false when there is none.
func decode(v []byte, row any) (bool, error) {
	if v == nil {
		return false, nil
	}
	if _, log := row.(*logRow); log && len(v) == shortLogRow {
		v = append(v[:shortLogRow:shortLogRow], make([]byte, binary.Size(row)-shortLogRow)...)
	}
	if n, err := binary.Decode(v, binary.BigEndian, row); err != nil || n != len(v) {
		return false, fmt.Errorf("%w: a row of %d bytes cannot be read as %T", ErrDamaged, len(v), row)
	}
	return true, nil
}

func readTotals(tx *bolt.Tx) (totals, error) {
	var t totals
	_, err := decode(tx.Bucket(metaBucket).Get(totalsKey), &t)
	return t, err
}

// addTotals adds d, whose numbers may be negative.
func addTotals(tx *bolt.Tx, d totals) error {
	t, err := readTotals(tx)
	if err != nil {
		return err
	}
	t.Sets += d.Sets
	t.SetBytes += d.SetBytes
	t.Chunks += d.Chunks
	t.ChunkBytes += d.ChunkBytes
	t.ChunkStored += d.ChunkStored
	t.Logs += d.Logs
	t.LogBytes += d.LogBytes
	t.LogStored += d.LogStored
	return tx.Bucket(metaBucket).Put(totalsKey, encode(&t))
}

func ageKey(created int64, kind byte, id string) []byte {
	return append(append(key(uint64(created)), kind), id...)
}

func readSet(tx *bolt.Tx, id string) (*setRow, error) {
	v := tx.Bucket(setsBucket).Get([]byte(id))
	if v == nil {
		return nil, unknown("artifact set", id)
	}
	row := &setRow{}
	if err := json.Unmarshal(v, row); err != nil {
		return nil, fmt.Errorf("%w: the header of set %q: %w", ErrDamaged, id, err)
	}
	return row, nil
}

func readLog(tx *bolt.Tx, id string) (logRow, error) {
	var row logRow
	found, err := decode(tx.Bucket(logsBucket).Get([]byte(id)), &row)
	if err == nil && !found {
		err = unknown("log", id)
	}
	return row, err
}
