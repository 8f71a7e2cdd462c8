package compare

import (
	"bufio"
	"errors"
	"hash/maphash"
	"io"
	"slices"
)

// MaxLines bounds the lines of a log that are compared. What follows them is not looked at, and that is told.
const MaxLines = 4_000_000

// maxLine is how much of a line is read for what it says; of the rest counts only whether it is the same.
const maxLine = 64 << 10

// Log is a log as it is compared: the sum of each line's normal form. States of a bar of progress that follow each other and
// are the same in normal form are one line.
type Log struct {
	Sums    []uint64
	Numbers []uint32 // of the lines in the log, from 1
	Lines   int      // of the log that were read
	Cut     bool     // there are more than MaxLines
}

// seed makes the sums of one process comparable.
var seed = maphash.MakeSeed()

// Read reads a log to its end.
func Read(r io.Reader) (*Log, error) {
	var l Log
	err := Lines(r, func(line Line) bool {
		if len(l.Sums) == MaxLines {
			l.Cut = true
			return false
		}
		l.Sums = append(l.Sums, line.sum)
		l.Numbers = append(l.Numbers, uint32(line.Number))
		l.Lines = line.Number
		return true
	})
	return &l, err
}

// Line is one line of a log. Its texts are good until the next one.
type Line struct {
	Number int    // in the log, from 1
	Index  int    // among the lines that are compared, from 0
	Raw    []byte // as it was printed, without its end; the beginning of a very long one
	Normal []byte

	sum uint64
}

// Lines visits the lines of a log that are compared, until visit says that it wants no more.
func Lines(r io.Reader, visit func(Line) (more bool)) error {
	in := bufio.NewReaderSize(r, maxLine)
	var before []byte // the normal form of the line before, while that was a state of a bar
	var line Line
	for {
		raw, rest, err := nextLine(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		line.Number++
		line.Raw, line.Normal = raw, Normal(line.Normal[:0], raw)
		progress := isProgress(line.Normal)
		if progress && slices.Equal(before, line.Normal) {
			continue
		}
		if before = before[:0]; progress {
			before = append(before, line.Normal...)
		}
		line.sum = maphash.Bytes(seed, line.Normal) ^ rest
		if !visit(line) {
			return nil
		}
		line.Index++
	}
}

// nextLine returns the beginning of a line and a sum of what is left of it; io.EOF where there is none.
func nextLine(in *bufio.Reader) (line []byte, rest uint64, err error) {
	line, err = in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) > 0:
		return line, 0, nil
	case !errors.Is(err, bufio.ErrBufferFull):
		return line, 0, err
	}
	line = slices.Clone(line)
	var sum maphash.Hash
	sum.SetSeed(seed)
	for {
		more, err := in.ReadSlice('\n')
		_, _ = sum.Write(more) // never fails
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil || errors.Is(err, io.EOF):
			return line, sum.Sum64(), nil
		default:
			return nil, 0, err
		}
	}
}
