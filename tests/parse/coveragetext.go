package parse

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// parseLCOV reads a tracefile as man geninfo describes it: SF names a file, DA:line,count[,checksum] a line,
// BRDA:line,block,branch,taken a branch ("-" when its line never ran), end_of_record ends the file. Totals are
// computed from these, never read.
func parseLCOV(in *input) error {
	lines := &textLines{src: in.Reader}
	var file *tests.FileCoverage
	for {
		line, err := lines.next()
		if err == io.EOF && file == nil {
			return nil
		} else if err == io.EOF {
			return fmt.Errorf("line %d: the file ends within the record of %s, expected end_of_record; it was cut off", lines.Number, file.Path)
		}
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case err != nil:
		case string(key) == "SF":
			file, err = in.file(decodeLine(value))
		case string(key) == "end_of_record":
			file = nil
		case file != nil && string(key) == "DA":
			number, rest, _ := bytes.Cut(value, []byte(","))
			err = in.line(file, atoi(number), positive(rest))
		case file != nil && string(key) == "BRDA":
			if f := bytes.Split(value, []byte(",")); len(f) >= 4 {
				arm := bytes.Join(f[1:len(f)-1], []byte(","))
				err = in.branch(file, atoi(f[0]), validUTF8(string(arm)), positive(f[len(f)-1]))
			}
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", lines.Number, err)
		}
	}
}

// positive tells whether a count is more than zero. "-" is not, and lcov writes negative counts by mistake.
func positive(count []byte) bool {
	count, _, _ = bytes.Cut(bytes.TrimSpace(count), []byte(","))
	return len(count) > 0 && count[0] != '-' && bytes.ContainsAny(count, "123456789")
}

// parseGoCover reads a profile of go test -coverprofile (go doc golang.org/x/tools/cover): blocks of statements,
// "file:line.column,line.column statements count". A line ran when a block that touches it did; blocks without
// statements are no code. Files are named by their import path.
func parseGoCover(in *input) error {
	lines := &textLines{src: in.Reader}
	modes := 0
	for {
		line, err := lines.next()
		if err == io.EOF && modes > 0 {
			return nil
		}
		switch {
		case err == io.EOF:
			return fmt.Errorf("found no line that says the mode, expected \"mode: set\" first")
		case err != nil:
			return fmt.Errorf("line %d: %w", lines.Number, err)
		case len(line) == 0:
		case bytes.HasPrefix(line, []byte("mode:")): // again where profiles were joined by cat
			modes++
		default:
			if err := in.goBlock(line); err != nil {
				return fmt.Errorf("line %d: %w", lines.Number, err)
			}
		}
	}
}

// maxSpanned bounds the lines that all blocks of a profile span, in 64, so that a short file is not long work.
const maxSpanned = 100_000_000

func (in *input) goBlock(line []byte) error {
	text := decodeLine(line)
	colon := strings.LastIndexByte(text, ':')
	var from, fromColumn, to, toColumn, statements, count int
	if colon > 0 {
		n, err := fmt.Sscanf(text[colon+1:], "%d.%d,%d.%d %d %d", &from, &fromColumn, &to, &toColumn, &statements, &count)
		if n != 6 || err != nil {
			colon = -1
		}
	}
	if colon <= 0 || from < 1 || to < from || to > tests.MaxLine {
		return fmt.Errorf("found %q, expected file:line.column,line.column statements count; the file may be cut off", shorten(line))
	}
	file, err := in.file(text[:colon])
	if err != nil || statements == 0 {
		return err
	}
	words := (to-from)/64 + 1
	if in.spanned += words; in.spanned > maxSpanned {
		return fmt.Errorf("the blocks span more than %d lines in all", maxSpanned*64)
	}
	if err := in.keep(2 * 8 * max(0, to/64+1-len(file.Known))); err != nil {
		return err
	}
	file.Known.AddSpan(from, to)
	if count > 0 {
		file.Hit.AddSpan(from, to)
	}
	return nil
}
