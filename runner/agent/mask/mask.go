// Package mask hides secrets in output. It knows a secret as it is, line by line, base64-encoded at any
// alignment and URL-encoded, and finds it also where it was written in several pieces. It hides AWS access key ids
// too, whoever they belong to. The agent masks what a job prints; the daemon, which does not take a job's word for
// it, masks again.
//
// It cannot find what a job disguises on purpose (reversed, spelt out, compressed): masking guards against
// accidents, not against the job.
package mask

import "strings"

// stars is what stands for a secret.
const stars = "***"

// Masker knows the secrets of one job. A nil Masker hides nothing. It is safe for concurrent use.
type Masker struct {
	patterns []string            // longest first
	byHead   map[uint32][]string // the same by their first headLen bytes
	heads    [1 << 16 / 8]byte   // bits by hash of the head: nearly every position of a log ends here
}

// headLen is how many bytes are looked at to rule a position out. No pattern is shorter.
const headLen = minSecret

// New returns a Masker of the values, and of access key ids. Values of fewer than three bytes are not masked.
func New(secrets []string) *Masker {
	m := &Masker{patterns: patterns(secrets), byHead: make(map[uint32][]string)}
	for _, p := range m.patterns {
		h := head(p)
		m.byHead[h] = append(m.byHead[h], p)
		m.note(h)
	}
	for _, p := range keyHeads {
		m.note(head(p))
	}
	return m
}

// note makes positions with this head be looked at.
func (m *Masker) note(head uint32) {
	bit := hash(head)
	m.heads[bit>>3] |= 1 << (bit & 7)
}

// noted tells whether positions with this head are looked at.
func (m *Masker) noted(head uint32) bool {
	bit := hash(head)
	return m.heads[bit>>3]&(1<<(bit&7)) != 0
}

func head[T string | []byte](b T) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func hash(head uint32) uint32 { return head * 2654435769 >> 16 }

// String returns text with the secrets hidden.
func (m *Masker) String(text string) string {
	if m == nil {
		return text
	}
	var s Stream
	s.m = m
	out := s.Append(nil, []byte(text))
	return string(s.Flush(out))
}

// Stream returns a masker of one stream of output that arrives in pieces.
func (m *Masker) Stream() *Stream { return &Stream{m: m} }

// Stream masks one stream. It holds back the end of what it was given while that may be the beginning of a
// secret, never more than the longest pattern.
type Stream struct {
	m     *Masker
	held  []byte
	cover int // bytes of what comes next that belong to a secret already hidden
}

// Append appends to dst what can be shown after data arrived, and returns it.
func (s *Stream) Append(dst, data []byte) []byte {
	if s.m == nil {
		return append(dst, data...)
	}
	if len(s.held) > 0 {
		s.held = append(s.held, data...)
		data = s.held
	}
	dst, used := s.scan(dst, data, false)
	s.held = append(s.held[:0], data[used:]...)
	return dst
}

// Holds tells whether something is held back.
func (s *Stream) Holds() bool { return len(s.held) > 0 }

// Flush appends what is held back: the output is over, so it begins no secret.
func (s *Stream) Flush(dst []byte) []byte {
	if s.m == nil {
		return dst
	}
	dst, _ = s.scan(dst, s.held, true)
	s.held, s.cover = s.held[:0], 0
	return dst
}

// scan masks data from its beginning up to where only more data can tell, and returns how far it came. Secrets
// that overlap are hidden together.
func (s *Stream) scan(dst, data []byte, final bool) (out []byte, used int) {
	plain, i := 0, 0 // data[plain:i] is to be shown
	for i < len(data) {
		if s.cover == 0 {
			i = s.m.skip(data, i)
		}
		n, wait := s.m.match(data[i:], final)
		if wait {
			break
		}
		if n > 0 && s.cover == 0 {
			dst = append(dst, data[plain:i]...)
			dst = append(dst, stars...)
		}
		s.cover = max(s.cover, n)
		i = min(i+1, len(data))
		if s.cover > 0 {
			s.cover--
			plain = i
		}
	}
	return append(dst, data[plain:i]...), i
}

// skip returns the first position from i on where a secret may begin.
func (m *Masker) skip(data []byte, i int) int {
	if len(m.patterns) == 0 {
		return m.skipToKey(data, i)
	}
	for ; i+headLen <= len(data); i++ {
		if m.noted(uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16) {
			return i
		}
	}
	return i
}

// match returns the length of the longest secret that rest begins with, or that more data is needed to tell.
func (m *Masker) match(rest []byte, final bool) (n int, wait bool) {
	if n, wait = m.pattern(rest, final); wait {
		return 0, true
	}
	key, wait := accessKey(rest, final)
	return max(n, key), wait
}

// pattern is match for the values of the job.
func (m *Masker) pattern(rest []byte, final bool) (n int, wait bool) {
	candidates := m.patterns
	if len(rest) >= headLen {
		candidates = m.byHead[head(rest)]
	}
	for _, p := range candidates {
		switch {
		case len(p) <= len(rest):
			if string(rest[:len(p)]) == p {
				return len(p), false
			}
		case !final && strings.HasPrefix(p, string(rest)):
			return 0, true
		}
	}
	return 0, false
}
