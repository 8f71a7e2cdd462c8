package artifacts

import "hash"

// hasher computes a hash beside whoever else works on the same bytes.
type hasher struct {
	hash hash.Hash
	free chan []byte
	full chan []byte
	done chan struct{}
}

// hasherBuffers and hasherBytes are how far the hash may lag behind.
const (
	hasherBuffers = 4
	hasherBytes   = 1 << 20
)

func newHasher(h hash.Hash) *hasher {
	x := &hasher{
		hash: h, done: make(chan struct{}),
		free: make(chan []byte, hasherBuffers), full: make(chan []byte, hasherBuffers),
	}
	for range hasherBuffers {
		x.free <- make([]byte, hasherBytes)
	}
	go func() {
		defer close(x.done)
		for b := range x.full {
			x.hash.Write(b)
			x.free <- b[:hasherBytes]
		}
	}()
	return x
}

// buffer returns memory that is the caller's alone until it is added.
func (x *hasher) buffer() []byte { return <-x.free }

// add takes what buffer returned, filled in part, in the order of the bytes. The caller may still read it until it
// asks for the next buffer but hasherBuffers-1; it does so before the next.
func (x *hasher) add(b []byte) { x.full <- b }

// sum ends it.
func (x *hasher) sum() []byte {
	close(x.full)
	<-x.done
	return x.hash.Sum(nil)
}
