package mask

import "bytes"

// keyLen is the length of an AWS access key id: AKIA for a user's, ASIA for one of limited time, and 16 capitals and
// digits.
const keyLen = 20

// keyHeads are what access key ids begin with, as far as heads go.
var keyHeads = [...]string{"AKI", "ASI"}

// accessKey returns the length of the access key id that rest begins with, or that more data is needed to tell.
// CodeBuild hides them wherever they come from, so they are hidden in jobs without any secrets too.
func accessKey(rest []byte, final bool) (n int, wait bool) {
	for i, c := range rest[:min(len(rest), keyLen)] {
		if !inAccessKey(i, c) {
			return 0, false
		}
	}
	if len(rest) < keyLen {
		return 0, !final && len(rest) > 0
	}
	return keyLen, false
}

func inAccessKey(i int, c byte) bool {
	switch i {
	case 0, 3:
		return c == 'A'
	case 1:
		return c == 'K' || c == 'S'
	case 2:
		return c == 'I'
	}
	return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// skipToKey is skip where there is nothing to hide but access key ids: what all of them begin with is rare.
func (m *Masker) skipToKey(data []byte, i int) int {
	for ; i < len(data); i++ {
		n := bytes.IndexByte(data[i:], keyHeads[0][0])
		if n < 0 {
			return len(data)
		}
		if i += n; i+headLen > len(data) || m.noted(head(data[i:])) {
			return i
		}
	}
	return i
}
