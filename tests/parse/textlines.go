package parse

import (
	"bufio"
	"bytes"
	"io"
)

// maxTextLine bounds one line of a text format, in bytes. What is longer is cut.
const maxTextLine = 1 << 20

// textLines reads a file line by line in bounded memory.
type textLines struct {
	src    *bufio.Reader
	long   []byte
	Number int
}

// next is the next line without its end, valid until the next call; io.EOF behind the last one. A last line without
// an end is a line.
func (l *textLines) next() ([]byte, error) {
	l.Number++
	line, err := l.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = append(l.long[:0], line...)
		for err == bufio.ErrBufferFull {
			line, err = l.src.ReadSlice('\n')
			l.long = append(l.long, line[:min(len(line), maxTextLine-len(l.long))]...)
		}
		line = l.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}
