package tests

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// MaxLine is the greatest line number that is kept, so that a file which names line 2147483647 costs no memory.
const MaxLine = 1 << 20

// Lines is a set of line numbers, from 1 to MaxLine, as a bitmap. As text it is "1-3,7".
type Lines []uint64

// Add puts a line into the set. Numbers that no line can have are left out.
func (l *Lines) Add(line int) { l.AddSpan(line, line) }

// AddSpan puts the lines from first to last, both included, into the set, a word at a time.
func (l *Lines) AddSpan(first, last int) {
	first, last = max(first, 1), min(last, MaxLine)
	if first > last {
		return
	}
	if word := last / 64; word >= len(*l) {
		*l = append(*l, make([]uint64, word+1-len(*l))...)
	}
	for word := first / 64; word <= last/64; word++ {
		mask := ^uint64(0)
		if word == first/64 {
			mask <<= first % 64
		}
		if word == last/64 {
			mask &= ^uint64(0) >> (63 - last%64)
		}
		(*l)[word] |= mask
	}
}

// Has tells whether a line is in the set.
func (l Lines) Has(line int) bool {
	return line >= 0 && line/64 < len(l) && l[line/64]&(1<<(line%64)) != 0
}

// Count is how many lines are in the set.
func (l Lines) Count() int {
	n := 0
	for _, word := range l {
		n += bits.OnesCount64(word)
	}
	return n
}

// Join puts all lines of other into the set.
func (l *Lines) Join(other Lines) {
	if len(*l) < len(other) {
		*l = append(*l, make([]uint64, len(other)-len(*l))...)
	}
	for i, word := range other {
		(*l)[i] |= word
	}
}

// MarshalText writes the set as ranges: "1-3,7".
func (l Lines) MarshalText() ([]byte, error) {
	var text []byte
	for line := 1; line < len(l)*64; line++ {
		if !l.Has(line) {
			continue
		}
		first := line
		for l.Has(line + 1) {
			line++
		}
		if len(text) > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(first), 10)
		if line > first {
			text = strconv.AppendInt(append(text, '-'), int64(line), 10)
		}
	}
	return text, nil
}

// UnmarshalText reads what MarshalText writes.
func (l *Lines) UnmarshalText(text []byte) error {
	*l = nil
	if len(text) == 0 {
		return nil
	}
	for span := range strings.SplitSeq(string(text), ",") {
		from, to, ranged := strings.Cut(span, "-")
		if !ranged {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || first < 1 || last > MaxLine {
			return fmt.Errorf("reading a set of lines: found %q, expected a line or a range of lines from 1 to %d", span, MaxLine)
		}
		l.AddSpan(first, last)
	}
	return nil
}
