package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxKind bounds the word that names a kind. The longest of ours has 13 letters.
const maxKind = 32

// errLine is every way in which a line is not one of ours. A reader counts it and goes on, so it needs no detail.
var errLine = errors.New("not a line of this protocol")

// VersionError tells that a whole line arrived which another version of the protocol wrote.
type VersionError struct {
	Got int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the other side speaks version %d of the wire protocol, this one speaks %d; use releases next to each other", e.Got, Protocol)
}

// AppendFrame appends the line of a frame, with its newline, to dst. It fails when the kind is no word, the body
// is not JSON, or the line would exceed MaxLine.
func AppendFrame(dst []byte, f Frame) ([]byte, error) {
	if !validKind([]byte(f.Kind)) {
		return dst, fmt.Errorf("writing frame %d: kind %q is not a word of small letters and dashes", f.Seq, f.Kind)
	}
	body := []byte(f.Body)
	if bytes.IndexByte(body, '\n') >= 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil {
			return dst, fmt.Errorf("writing frame %d, a %s: %w", f.Seq, f.Kind, err)
		}
		body = compact.Bytes()
	}
	if len(body) == 0 {
		return dst, fmt.Errorf("writing frame %d, a %s: it has no body", f.Seq, f.Kind)
	}
	start := len(dst)
	line, sum := appendHead(dst, f.Seq, f.Kind)
	line = append(line, body...)
	line = closeLine(line, sum)
	if n := len(line) - start; n > MaxLine {
		return dst, fmt.Errorf("writing frame %d, a %s: it takes %d bytes, more than the %d that a line may have", f.Seq, f.Kind, n, MaxLine)
	}
	return line, nil
}

// AppendLog appends the line of a log frame to dst without an intermediate copy. Data must not exceed MaxLogData.
func AppendLog(dst []byte, seq uint64, data []byte) []byte {
	line, sum := appendHead(dst, seq, KindLog)
	line = appendLogBody(line, data)
	return closeLine(line, sum)
}

// sumWidth is the room of the checksum, eight hexadecimal digits and a space.
const sumWidth = 9

// appendHead appends all that stands before the body, with room for the checksum, which ends where it returns.
// sumFrom is where the summed words begin.
func appendHead(dst []byte, seq uint64, kind Kind) (line []byte, sumFrom int) {
	dst = append(dst, 'r')
	dst = strconv.AppendInt(dst, Protocol, 10)
	dst = append(dst, ' ')
	sumFrom = len(dst)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, ' ')
	dst = append(dst, kind...)
	return append(dst, " 00000000 "...), sumFrom
}

// closeLine fills the checksum in and ends the line. The sum covers "SEQ KIND " and the body: the two spans
// around the checksum itself.
func closeLine(line []byte, sumFrom int) []byte {
	sumAt := sumFrom
	for spaces := 0; spaces < 2; sumAt++ {
		if line[sumAt] == ' ' {
			spaces++
		}
	}
	sum := crc32.Checksum(line[sumFrom:sumAt], castagnoli)
	sum = crc32.Update(sum, castagnoli, line[sumAt+sumWidth:])
	hex.Encode(line[sumAt:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return append(line, '\n')
}

// Parse reads one line, with or without its newline. The body points into line. A *VersionError means that
// another version wrote it; any other error means that it is garbage.
func Parse(line []byte) (Frame, error) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	version, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(version) < 2 || len(version) > 6 || version[0] != 'r' {
		return Frame{}, errLine
	}
	seqText, rest2, ok1 := bytes.Cut(rest, []byte{' '})
	kind, rest3, ok2 := bytes.Cut(rest2, []byte{' '})
	sumText, body, ok3 := bytes.Cut(rest3, []byte{' '})
	if !ok1 || !ok2 || !ok3 || len(sumText) != sumWidth-1 || len(body) == 0 || !validKind(kind) {
		return Frame{}, errLine
	}
	seq, err := parseNumber(seqText)
	if err != nil {
		return Frame{}, err
	}
	var want [4]byte
	if _, err := hex.Decode(want[:], sumText); err != nil {
		return Frame{}, errLine
	}
	sum := crc32.Checksum(rest[:len(seqText)+len(kind)+2], castagnoli)
	sum = crc32.Update(sum, castagnoli, body)
	if want != [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)} {
		return Frame{}, errLine
	}
	got, err := parseNumber(version[1:])
	if err != nil {
		return Frame{}, err
	}
	if got != Protocol {
		return Frame{}, &VersionError{Got: int(got)}
	}
	return Frame{Seq: seq, Kind: Kind(kind), Body: body}, nil
}

// parseNumber reads a decimal number in its one canonical form, so that a frame has only one line.
func parseNumber(text []byte) (uint64, error) {
	if len(text) == 0 || len(text) > 20 || text[0] == '+' || text[0] == '0' && len(text) > 1 {
		return 0, errLine
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, errLine
	}
	return n, nil
}

func validKind(kind []byte) bool {
	for _, c := range kind {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return len(kind) > 0 && len(kind) <= maxKind
}
