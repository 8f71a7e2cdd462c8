package wire

import (
	"io"
	"sync"
)

// Writer writes frames as lines, each with one call of the underlying Write. It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	dst io.Writer
	buf []byte
}

// NewWriter returns a Writer to dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Begin writes the newline that ends whatever half a line a predecessor left on the same stream.
func (w *Writer) Begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.dst.Write([]byte{'\n'})
	return err
}

// Write writes one frame. An error of the stream is returned as it is; after it the stream may hold half a line.
func (w *Writer) Write(f Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, err := AppendFrame(w.buf[:0], f)
	if err != nil {
		return err
	}
	w.buf = line
	_, err = w.dst.Write(line)
	return err
}

// Send encodes a body and writes it under the number seq.
func (w *Writer) Send(seq uint64, body Body) error {
	f, err := Encode(seq, body)
	if err != nil {
		return err
	}
	return w.Write(f)
}
