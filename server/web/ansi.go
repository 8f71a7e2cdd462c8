package web

import (
	"strings"
	"unicode/utf8"
)

// run is a piece of a line of a log in one style: classes of the sheet, "" for plain text.
type run struct{ Class, Text string }

// ansi reads a log's escape sequences as a terminal would that knows colours and nothing else. Its state goes on from line to line.
type ansi struct {
	bold, faint, italic, underline bool
	color                          int // 1 to 16: the terminal's; 0: none
}

// line takes a line without its end apart. What a carriage return wrote over is not shown.
func (a *ansi) line(text string) (out []run) {
	text = strings.TrimRight(text, "\r")
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			out = append(out, run{a.class(), plain.String()})
			plain.Reset()
		}
	}
	for len(text) > 0 {
		if text[0] == 0x1b {
			params, final, rest := escape(text)
			if text = rest; final == 'm' {
				flush()
				a.sgr(params)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		switch text = text[n:]; {
		case r == '\r':
			out = out[:0]
			plain.Reset()
		case r >= ' ' && r != 0x7f || r == '\t':
			plain.WriteRune(r) // what is no text becomes U+FFFD
		}
	}
	flush()
	return out
}

// escape takes the sequence at the beginning of a text apart: what stands in it, its last byte, what follows.
func escape(text string) (params string, final byte, rest string) {
	if len(text) < 2 {
		return "", 0, ""
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			if text[i] >= 0x40 && text[i] <= 0x7e {
				return text[2:i], text[i], text[i+1:]
			}
		}
		return "", 0, ""
	case ']', 'P', '_', '^', 'X': // to its end, a bell or ESC \
		for i := 2; i < len(text); i++ {
			if text[i] == 7 {
				return "", 0, text[i+1:]
			}
			if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '\\' {
				return "", 0, text[i+2:]
			}
		}
		return "", 0, ""
	}
	return "", 0, text[2:]
}

// sgr changes the style.
func (a *ansi) sgr(params string) {
	codes := numbers(params)
	for i := 0; i < len(codes); i++ {
		switch c := codes[i]; {
		case c == 0:
			*a = ansi{}
		case c == 1:
			a.bold = true
		case c == 2:
			a.faint = true
		case c == 3:
			a.italic = true
		case c == 4:
			a.underline = true
		case c == 22:
			a.bold, a.faint = false, false
		case c == 23:
			a.italic = false
		case c == 24:
			a.underline = false
		case c >= 30 && c <= 37:
			a.color = c - 30 + 1
		case c >= 90 && c <= 97:
			a.color = c - 90 + 9
		case c == 39:
			a.color = 0
		case c == 38 || c == 48:
			i = a.extended(codes, i)
		}
	}
}

// extended reads a colour of 256 or of 16 million: the first sixteen are the terminal's own, the others are left to the reader's ink. It
// returns where the colour ends.
func (a *ansi) extended(codes []int, i int) int {
	if i+1 >= len(codes) {
		return len(codes)
	}
	foreground := codes[i] == 38
	switch codes[i+1] {
	case 5:
		if foreground && i+2 < len(codes) {
			if a.color = 0; codes[i+2] < 16 {
				a.color = codes[i+2] + 1
			}
		}
		return i + 2
	case 2:
		if foreground {
			a.color = 0
		}
		return i + 4
	}
	return i + 1
}

// numbers reads parameters; what is none is 0, as terminals have it.
func numbers(params string) []int {
	out := []int{0}
	for _, c := range []byte(params) {
		switch last := &out[len(out)-1]; {
		case c >= '0' && c <= '9':
			*last = min(*last*10+int(c-'0'), 9999)
		case c == ';' || c == ':':
			out = append(out, 0)
		}
		if len(out) > 32 {
			break
		}
	}
	return out
}

// colors are the classes of the terminal's eight.
var colors = [...]string{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"}

func (a *ansi) class() string {
	var out []string
	if a.color > 0 {
		out = append(out, colors[(a.color-1)%8])
	}
	for _, s := range []struct {
		on   bool
		name string
	}{{a.bold, "b"}, {a.faint, "f"}, {a.italic, "i"}, {a.underline, "u"}} {
		if s.on {
			out = append(out, s.name)
		}
	}
	return strings.Join(out, " ")
}
