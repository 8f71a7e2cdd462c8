package agent

import "bytes"

// goLines cuts what is written into lines, with their ends, in which events stand. One that is longer than any event
// comes in pieces.
type goLines struct{ line []byte }

// write takes the lines that text ends. take must not keep what it is given. A line that it fails to take is left.
func (l *goLines) write(text []byte, take func(line []byte) error) (int, error) {
	for rest := text; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n') + 1
		if i == 0 {
			i = len(rest)
		}
		l.line = append(l.line, rest[:i]...)
		rest = rest[i:]
		if l.line[len(l.line)-1] == '\n' || len(l.line) > maxGoEvent {
			if err := take(l.line); err != nil {
				return 0, err
			}
			l.line = l.line[:0]
		}
	}
	return len(text), nil
}

// rest takes what has no end of line, when nothing more will come.
func (l *goLines) rest(take func(line []byte) error) {
	if len(l.line) > 0 {
		_ = take(l.line)
	}
}
