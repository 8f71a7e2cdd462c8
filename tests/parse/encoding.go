package parse

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf8Reader is src as UTF-8: a byte order mark decides, then an XML declaration. What claims to be in an encoding
// that is not known is passed on as it is, and what is no UTF-8 in it becomes U+FFFD where it is used.
func utf8Reader(src io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(src, firstBuffer)
	head, _ := b.Peek(256)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		b.Discard(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		b.Discard(2)
		return transcode(b, &wide{little: true})
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		b.Discard(2)
		return transcode(b, &wide{})
	case bytes.HasPrefix(head, []byte("<\x00?\x00")), bytes.HasPrefix(head, []byte("{\x00")), bytes.HasPrefix(head, []byte("[\x00")):
		return transcode(b, &wide{little: true})
	case bytes.HasPrefix(head, []byte("\x00<\x00?")):
		return transcode(b, &wide{})
	}
	switch declared(head) {
	case "iso-8859-1", "latin1", "iso-8859-15", "windows-1252", "cp1252":
		return transcode(b, narrow{})
	}
	return b
}

// declared is the encoding that an XML declaration names, in small letters.
func declared(head []byte) string {
	if !bytes.HasPrefix(head, []byte("<?xml")) {
		return ""
	}
	head, _, _ = bytes.Cut(head, []byte("?>"))
	_, value, ok := bytes.Cut(head, []byte("encoding="))
	if !ok || len(value) < 2 {
		return ""
	}
	name, _, _ := bytes.Cut(value[1:], value[:1])
	return strings.ToLower(string(name))
}

// decoder appends the characters that src stands for to dst, and returns how much of src it used.
type decoder interface {
	decode(dst, src []byte, last bool) (out []byte, used int)
}

// transcoder reads an encoding as UTF-8.
type transcoder struct {
	src  io.Reader
	dec  decoder
	in   []byte
	held int // bytes at the beginning of in that are not yet decoded
	out  []byte
	err  error
}

func transcode(src io.Reader, dec decoder) *bufio.Reader {
	return bufio.NewReaderSize(&transcoder{src: src, dec: dec, in: make([]byte, 16<<10)}, firstBuffer)
}

func (t *transcoder) Read(p []byte) (int, error) {
	for len(t.out) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		var n, used int
		n, t.err = t.src.Read(t.in[t.held:])
		t.held += n
		t.out, used = t.dec.decode(t.out[:0], t.in[:t.held], t.err != nil)
		t.held = copy(t.in, t.in[used:t.held])
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}

// wide is UTF-16.
type wide struct{ little bool }

func (w *wide) decode(dst, src []byte, last bool) ([]byte, int) {
	unit := func(i int) rune {
		if w.little {
			return rune(src[i]) | rune(src[i+1])<<8
		}
		return rune(src[i])<<8 | rune(src[i+1])
	}
	i := 0
	for i+1 < len(src) {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if i+3 >= len(src) && !last {
				break
			}
			second := rune(0)
			if i+3 < len(src) {
				second = unit(i + 2)
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				i += 2
			}
		}
		dst = utf8.AppendRune(dst, r)
		i += 2
	}
	if last && i < len(src) {
		dst, i = utf8.AppendRune(dst, utf8.RuneError), len(src)
	}
	return dst, i
}

// narrow is Windows-1252, of which Latin-1 is the part without 0x80 to 0x9F, as browsers read it.
type narrow struct{}

// windows are the characters 0x80 to 0x9F of Windows-1252.
const windows = "€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ"

var windowsRunes = []rune(windows)

func (narrow) decode(dst, src []byte, _ bool) ([]byte, int) {
	for _, b := range src {
		r := rune(b)
		if b >= 0x80 && b <= 0x9f {
			r = windowsRunes[b-0x80]
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, len(src)
}
