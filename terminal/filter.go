package terminal

import "io"

// Filter passes text on to a terminal without what could do harm there: of all escape sequences only those for
// colour and weight get through, of the control characters only line end, carriage return and tab. A sequence
// may be split over writes.
type Filter struct {
	w      io.Writer
	colors bool
	state  filterState
	seq    []byte // the control sequence read so far
	c2     bool   // the last byte was 0xC2, which begins the C1 controls in UTF-8
}

type filterState int

const (
	inText     filterState = iota
	inEscape               // after ESC
	inControl              // after ESC [
	inString               // after ESC ] and its like: until BEL or ESC \
	inStringEs             // ESC within a string
)

// maxSequence bounds a colour sequence in bytes; longer ones are not colours.
const maxSequence = 64

// NewFilter returns a Filter that writes to w.
func NewFilter(w io.Writer) *Filter { return &Filter{w: w, colors: true} }

// Write filters p. It reports p as written when w took all that was to be passed on.
func (f *Filter) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		out = f.step(out, b)
	}
	if len(out) > 0 {
		if _, err := f.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// step takes one byte and appends what may be shown.
func (f *Filter) step(out []byte, b byte) []byte {
	switch f.state {
	case inEscape:
		return f.escape(out, b)
	case inControl:
		return f.control(out, b)
	case inString:
		switch b {
		case 0x07:
			f.state = inText
		case 0x1b:
			f.state = inStringEs
		}
		return out
	case inStringEs:
		f.state = inString
		if b == '\\' {
			f.state = inText
		}
		return out
	}
	return f.text(out, b)
}

func (f *Filter) text(out []byte, b byte) []byte {
	if f.c2 {
		f.c2 = false
		if b >= 0x80 && b < 0xa0 {
			return out
		}
		out = append(out, 0xc2)
	}
	switch {
	case b == 0x1b:
		f.state = inEscape
	case b == 0xc2:
		f.c2 = true
	case b < ' ' && b != '\n' && b != '\r' && b != '\t', b == 0x7f:
	default:
		out = append(out, b)
	}
	return out
}

func (f *Filter) escape(out []byte, b byte) []byte {
	switch {
	case b == '[':
		f.state, f.seq = inControl, f.seq[:0]
	case b == ']', b == 'P', b == '_', b == '^', b == 'X':
		f.state = inString
	case b == 0x1b:
	case b >= ' ' && b < '0': // an intermediate byte; the final one follows
	default:
		f.state = inText
	}
	return out
}

func (f *Filter) control(out []byte, b byte) []byte {
	switch {
	case b == 0x1b:
		f.state = inEscape
	case b == '\n': // broken off: do not swallow the next line
		f.state = inText
		out = append(out, b)
	case b >= 0x40 && b <= 0x7e:
		f.state = inText
		if b == 'm' && f.colors && len(f.seq) < maxSequence {
			out = append(append(append(out, 0x1b, '['), f.seq...), 'm')
		}
	case len(f.seq) < maxSequence && (b >= '0' && b <= '9' || b == ';' || b == ':'):
		f.seq = append(f.seq, b)
	default:
		f.seq = append(f.seq[:0], make([]byte, maxSequence)...) // no colour
	}
	return out
}
