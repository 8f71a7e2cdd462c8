package buildspec

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// fromUTF16 makes UTF-8 of a text in UTF-16, which is what PowerShell's > writes, and tells whether it was one: by its
// byte order mark, or because each second byte of its beginning is zero. Halves of characters become bytes that are
// no UTF-8, and are refused as such.
func fromUTF16(data []byte) ([]byte, bool) {
	order, ok := byteOrder(data)
	if !ok {
		return data, false
	}
	out := make([]byte, 0, len(data))
	for len(data) >= 2 {
		r := rune(order.Uint16(data))
		data = data[2:]
		if utf16.IsSurrogate(r) && len(data) >= 2 {
			if r = utf16.DecodeRune(r, rune(order.Uint16(data))); r != utf8.RuneError {
				data = data[2:]
			}
		}
		if utf16.IsSurrogate(r) || r == utf8.RuneError {
			out = append(out, 0xff)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	if len(data) > 0 {
		out = append(out, 0xff)
	}
	return out, true
}

// byteOrder is how the bytes of a text in UTF-16 are ordered; false for any other text.
func byteOrder(data []byte) (binary.ByteOrder, bool) {
	const enough = 64
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return binary.LittleEndian, true
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return binary.BigEndian, true
	case len(data) < 4:
		return nil, false
	}
	zeros := [2]int{}
	start := data[:min(enough, len(data))&^1]
	for i, b := range start {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch half := len(start) / 2; {
	case zeros[0] == 0 && zeros[1] > half*3/4:
		return binary.LittleEndian, true
	case zeros[1] == 0 && zeros[0] > half*3/4:
		return binary.BigEndian, true
	}
	return nil, false
}
