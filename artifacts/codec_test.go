package artifacts

import (
	"bytes"
	"errors"
	"hash/crc32"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestEachCodecComesBack packs what compresses and what does not in both ways, behind something else.
func TestEachCodecComesBack(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, pack := range map[string]func(dst, raw []byte) ([]byte, uint8){"zstd": s.pack, "s2": s.packFast} {
		for _, raw := range [][]byte{prose(1, 300_000), noise(1, 300_000), prose(2, minCompress), {}} {
			v, codec := pack([]byte("before"), raw)
			stored := v[len("before"):]
			if len(stored) > len(raw) || string(v[:6]) != "before" {
				t.Fatalf("%s made %d bytes of %d", name, len(v), len(raw))
			}
			unpack := func(stored []byte, codec uint8, size int) ([]byte, error) {
				var got []byte
				err := s.view(func(tx *bolt.Tx) (err error) {
					got, err = s.unpack(tx, []byte("x"), stored, codec, size, crc32.Checksum(stored, castagnoli))
					return err
				})
				return got, err
			}
			if got, err := unpack(stored, codec, len(raw)); err != nil || !bytes.Equal(got, append([]byte("x"), raw...)) {
				t.Errorf("%s: %d bytes came back as %d (%v)", name, len(raw), len(got)-1, err)
			}
			for _, size := range []int{len(raw) + 1, 5} {
				if got, err := unpack(stored, codec, size); !errors.Is(err, ErrDamaged) || string(got) != "x" {
					t.Errorf("%s: %d bytes that claim %d came back as %d (%v)", name, len(raw), size, len(got)-1, err)
				}
			}
			if got, err := unpack(noise(3, 100), codec, len(raw)); !errors.Is(err, ErrDamaged) || string(got) != "x" {
				t.Errorf("%s: garbage came back as %d bytes (%v)", name, len(got)-1, err)
			}
		}
	}
}
