package terminal

import (
	"fmt"
	"io"
	"strings"
)

// screen is a block of lines at the bottom of a terminal. What is printed scrolls above it.
type screen struct {
	o     *Output
	block []string
	shown int // lines of the block now on the terminal
}

// draw replaces the block.
func (s *screen) draw(lines []string) {
	if most := s.o.rows(); len(lines) > most {
		rest := len(lines) - most + 1
		lines = append(lines[:most-1:most-1], fmt.Sprintf("… and %d more", rest))
	}
	s.block = lines
	s.refresh("")
}

// print writes text above the block. A line that is not ended yet must not be given: the block would follow it.
func (s *screen) print(text string) { s.refresh(text) }

// clear takes the block off the terminal, for good.
func (s *screen) clear() {
	s.block = nil
	s.refresh("")
}

// refresh writes text and the block in one write, so that a terminal never shows a half of it.
func (s *screen) refresh(text string) {
	var b strings.Builder
	if s.shown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.shown)
	}
	b.WriteString("\r\x1b[J" + text)
	for _, line := range s.block {
		b.WriteString(s.o.fit(line) + "\n")
	}
	s.shown = len(s.block)
	_, _ = io.WriteString(s.o, b.String())
}
