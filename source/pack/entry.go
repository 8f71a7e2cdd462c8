package pack

import (
	"errors"
	"fmt"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
)

// ID names an object: its SHA-1.
type ID = plumbing.Hash

// Type is the type of an object.
type Type = plumbing.ObjectType

// ErrNotFound is returned when no pack holds an object.
var ErrNotFound = errors.New("object not found")

// CorruptError tells that a pack or an index is not what the format says.
type CorruptError struct {
	File   string // base name, or empty for a stream
	Offset int64
	Reason string
}

// Error names the file, the place and what is wrong there.
func (e *CorruptError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("damaged pack at byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("damaged pack %s at byte %d: %s", e.File, e.Offset, e.Reason)
}

// LimitError tells that an input is larger than it may be.
type LimitError struct {
	What       string
	Got, Limit int64
}

// OneObject is what a LimitError calls an object that was to be held in memory.
const OneObject = "an object"

// Error names what was too large.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s of %d exceeds the limit of %d", e.What, e.Got, e.Limit)
}

// Sizes of the fixed parts of a pack.
const (
	packHeader  = 12
	packTrailer = 20
)

// maxRatio is the best that deflate can do: 258 bytes for two bits, with a little room for headers.
const maxRatio = 1032

// header is what stands before an entry's deflated bytes.
type header struct {
	kind     Type
	size     int64 // inflated, of the delta itself for a delta
	length   int   // bytes of the header, up to the deflated data
	distance int64 // for an offset delta: how far before this entry its base begins
	base     ID    // for a reference delta
}

// parseHeader reads the header of an entry from the bytes at its beginning. It reports false when they are not one.
func parseHeader(b []byte) (header, bool) {
	var h header
	size, n, ok := parseSize(b)
	if !ok {
		return h, false
	}
	h.kind, h.size = Type(b[0]>>4&7), size
	switch h.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		d, m, ok := parseDistance(b[n:])
		if !ok {
			return h, false
		}
		h.distance = d
		n += m
	case plumbing.REFDeltaObject:
		if len(b) < n+len(h.base) {
			return h, false
		}
		n += copy(h.base[:], b[n:])
	default:
		return h, false
	}
	h.length = n
	return h, true
}

// parseSize reads the inflated size: four bits of the first byte, then seven of each further one, low bits first.
func parseSize(b []byte) (size int64, n int, ok bool) {
	for shift := 4; n < len(b); n++ {
		c := b[n]
		if n == 0 {
			size = int64(c & 15)
		} else {
			if shift > 56 {
				return 0, 0, false
			}
			size |= int64(c&127) << shift
			shift += 7
		}
		if c&128 == 0 {
			return size, n + 1, true
		}
	}
	return 0, 0, false
}

// parseDistance reads the distance of an offset delta: big endian, seven bits a byte, each continuation adding one.
func parseDistance(b []byte) (d int64, n int, ok bool) {
	for n < len(b) {
		c := b[n]
		if n > 0 {
			d++
		}
		if d > math.MaxInt64>>8 {
			return 0, 0, false
		}
		d = d<<7 | int64(c&127)
		n++
		if c&128 == 0 {
			return d, n, d > 0
		}
	}
	return 0, 0, false
}

// appendHeader is the inverse of parseHeader.
func appendHeader(dst []byte, h header) []byte {
	size := h.size >> 4
	c := byte(h.kind)<<4 | byte(h.size&15)
	for ; size > 0; size >>= 7 {
		dst = append(dst, c|128)
		c = byte(size & 127)
	}
	dst = append(dst, c)
	switch h.kind {
	case plumbing.OFSDeltaObject:
		var tmp [10]byte
		i := len(tmp) - 1
		tmp[i] = byte(h.distance & 127)
		for d := h.distance >> 7; d > 0; d >>= 7 {
			d--
			i--
			tmp[i] = 128 | byte(d&127)
		}
		dst = append(dst, tmp[i:]...)
	case plumbing.REFDeltaObject:
		dst = append(dst, h.base[:]...)
	}
	return dst
}

func isDelta(t Type) bool {
	return t == plumbing.OFSDeltaObject || t == plumbing.REFDeltaObject
}
