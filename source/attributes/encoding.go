package attributes

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// encoders turn UTF-8 into other encodings. They report false for what is not UTF-8 or cannot be said in them. The
// forms without an order have a byte order mark and are little endian, as the C library of Linux writes them.
var encoders = map[string]func([]byte) ([]byte, bool){
	"UTF-16":       utf16Encoder(binary.LittleEndian, true),
	"UTF-16LE":     utf16Encoder(binary.LittleEndian, false),
	"UTF-16BE":     utf16Encoder(binary.BigEndian, false),
	"UTF-16LE-BOM": utf16Encoder(binary.LittleEndian, true),
	"UTF-16BE-BOM": utf16Encoder(binary.BigEndian, true),
	"UTF-32":       utf32Encoder(binary.LittleEndian, true),
	"UTF-32LE":     utf32Encoder(binary.LittleEndian, false),
	"UTF-32BE":     utf32Encoder(binary.BigEndian, false),
	"ISO-8859-1":   bytesUpTo(0xff),
	"LATIN1":       bytesUpTo(0xff),
	"US-ASCII":     bytesUpTo(0x7f),
	"ASCII":        bytesUpTo(0x7f),
}

const byteOrderMark = 0xfeff

func utf16Encoder(order binary.AppendByteOrder, mark bool) func([]byte) ([]byte, bool) {
	return func(data []byte) ([]byte, bool) {
		if !utf8.Valid(data) {
			return nil, false
		}
		out := make([]byte, 0, 2*len(data)+2)
		if mark {
			out = order.AppendUint16(out, byteOrderMark)
		}
		var units [2]uint16
		for _, r := range string(data) {
			for _, u := range utf16.AppendRune(units[:0], r) {
				out = order.AppendUint16(out, u)
			}
		}
		return out, true
	}
}

func utf32Encoder(order binary.AppendByteOrder, mark bool) func([]byte) ([]byte, bool) {
	return func(data []byte) ([]byte, bool) {
		if !utf8.Valid(data) {
			return nil, false
		}
		out := make([]byte, 0, 4*len(data)+4)
		if mark {
			out = order.AppendUint32(out, byteOrderMark)
		}
		for _, r := range string(data) {
			out = order.AppendUint32(out, uint32(r))
		}
		return out, true
	}
}

func bytesUpTo(limit rune) func([]byte) ([]byte, bool) {
	return func(data []byte) ([]byte, bool) {
		if !utf8.Valid(data) {
			return nil, false
		}
		out := make([]byte, 0, len(data))
		for _, r := range string(data) {
			if r > limit {
				return nil, false
			}
			out = append(out, byte(r))
		}
		return out, true
	}
}
