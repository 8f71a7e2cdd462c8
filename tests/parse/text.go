package parse

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/runner-ci/runner/tests"
)

// bounded collects text up to a size and counts the rest. raw is what an XML text held before its entities are
// decoded, so that an entity which lies across two pieces is whole.
type bounded struct {
	raw  []byte
	max  int
	lost int
}

func (b *bounded) reset(max int) { b.raw, b.max, b.lost = b.raw[:0], max, 0 }

// join adds what another one collected.
func (b *bounded) join(other *bounded) {
	b.add(other.raw)
	b.lost += other.lost
}

func (b *bounded) add(text []byte) {
	room := max(b.max-len(b.raw), 0)
	if len(text) > room {
		b.lost += len(text) - room
		text = text[:room]
	}
	b.raw = append(b.raw, text...)
}

// addWithin adds nothing once several texts have taken most bytes together, and counts in taken what it adds.
func (b *bounded) addWithin(text string, taken *int, most int) {
	if *taken >= most {
		b.lost += len(text)
		return
	}
	before := len(b.raw)
	b.add([]byte(text))
	*taken += len(b.raw) - before
}

// string is the text with a last line that says what is missing.
func (b *bounded) string() string {
	text := strings.ToValidUTF8(string(dropHalf(b.raw, b.lost > 0)), "\uFFFD")
	if b.lost > 0 {
		text += "\n… (" + strconv.Itoa(b.lost) + " more bytes)"
	}
	return text
}

// dropHalf removes a last character that was cut in two.
func dropHalf(text []byte, cut bool) []byte {
	for i := 1; cut && i < utf8.UTFMax && i <= len(text); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-i:]) {
				return text[:len(text)-i]
			}
			break
		}
	}
	return text
}

// capture makes the text that follows go to b, which is emptied; nil ends it.
func (x *xmlReader) capture(b *bounded, max int) {
	if b != nil {
		b.reset(max)
	}
	x.text = b
}

// takeText takes a piece of the document's text, in which entities stand for characters. A piece may end within an
// entity only at the end of the buffer; what is left over is joined by the next one, since it is decoded late.
func (x *xmlReader) takeText(piece []byte) {
	if x.text == nil || len(piece) == 0 {
		return
	}
	if x.text.lost > 0 || len(x.text.raw) >= x.text.max {
		x.text.lost += len(piece)
		return
	}
	x.text.add(piece)
}

// takeCDATA takes text in which no entity is one. An ampersand is written so that decoding restores it.
func (x *xmlReader) takeCDATA(piece []byte) {
	if x.text == nil || len(piece) == 0 {
		return
	}
	for x.text.lost == 0 {
		i := bytes.IndexByte(piece, '&')
		if i < 0 {
			break
		}
		x.text.add(piece[:i])
		x.text.add([]byte("&amp;"))
		piece = piece[i+1:]
	}
	x.text.add(piece)
}

// captured is the text since capture, decoded.
func (x *xmlReader) captured() string {
	if x.text == nil {
		return ""
	}
	return x.text.decoded()
}

// decoded is the text of raw XML, with a last line that says what is missing.
func (b *bounded) decoded() string {
	raw := dropHalf(b.raw, b.lost > 0)
	if i := bytes.LastIndexByte(raw, '&'); b.lost > 0 && i >= 0 && len(raw)-i < 10 && bytes.IndexByte(raw[i:], ';') < 0 {
		raw = raw[:i]
	}
	text := decodeText(raw, len(raw))
	if b.lost > 0 {
		text += "\n… (" + strconv.Itoa(b.lost) + " more bytes)"
	}
	return text
}

// decodeText is the text that an XML text or attribute stands for, in valid UTF-8 with "\n" as the only end of lines,
// cut to max bytes. Unknown entities stay as they are written.
func decodeText(raw []byte, max int) string {
	if bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return tests.Cut(validUTF8(string(raw[:min(len(raw), max+utf8.UTFMax)])), max)
	}
	out := make([]byte, 0, min(len(raw), max+utf8.UTFMax))
	for i := 0; i < len(raw) && len(out) <= max; {
		switch raw[i] {
		case '&':
			r, size := entity(raw[i:])
			if size == 0 {
				out = append(out, '&')
				i++
				continue
			}
			out = utf8.AppendRune(out, r)
			i += size
		case '\r':
			out = append(out, '\n')
			i++
			if i < len(raw) && raw[i] == '\n' {
				i++
			}
		default:
			next := bytes.IndexAny(raw[i:], "&\r")
			if next < 0 {
				next = len(raw) - i
			}
			out = append(out, raw[i:i+next]...)
			i += next
		}
	}
	return tests.Cut(validUTF8(string(out)), max)
}

// validUTF8 replaces what is no character, and what no text should hold: NUL.
func validUTF8(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// entity decodes a reference at the beginning of text; size 0 means that there is none.
func entity(text []byte) (r rune, size int) {
	end := bytes.IndexByte(text[:min(len(text), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	name := string(text[1:end])
	switch name {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return 0, 0
	}
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, 0
	}
	if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return utf8.RuneError, end + 1
	}
	return rune(n), end + 1
}
