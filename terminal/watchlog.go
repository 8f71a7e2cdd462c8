package terminal

import (
	"bytes"
	"strings"
)

// Bounds of what the watch keeps of a log: lines, and where it begins to read one that is long already.
const (
	keptLines = 500
	keptBytes = 64 << 10
)

// logTail is the end of a log.
type logTail struct {
	buffer lineBuffer
	lines  []string
}

func (l *logTail) add(text []byte) {
	l.buffer.add(text, l.line)
}

func (l *logTail) line(line []byte) {
	if cut := bytes.TrimRight(line, "\r"); bytes.ContainsRune(cut, '\r') {
		line = cut[bytes.LastIndexByte(cut, '\r')+1:] // what a progress bar showed last
	}
	if len(l.lines) >= 2*keptLines {
		l.lines = append([]string{}, l.lines[len(l.lines)-keptLines:]...)
	}
	l.lines = append(l.lines, string(line))
}

// last are the newest lines, fit for a terminal: of what the job printed only colours get through.
func (l *logTail) last(n int, color bool) (out []string) {
	lines := l.lines
	if rest := l.buffer.rest; len(rest) > 0 {
		lines = append(lines[:len(lines):len(lines)], string(rest))
	}
	for _, line := range lines[max(0, len(lines)-max(n, 0)):] {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		if !color {
			out = append(out, oneRow(plainText(line)))
			continue
		}
		var b strings.Builder
		_, _ = NewFilter(&b).Write([]byte(line))
		out = append(out, oneRow(b.String())+"\x1b[0m")
	}
	return out
}

// oneRow keeps a text from taking a second line, and leaves its indentation.
func oneRow(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }
