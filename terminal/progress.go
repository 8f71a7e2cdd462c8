package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Progress shows how far a transfer has come, on one line that is redrawn. In a pipe it shows nothing until Done.
type Progress struct {
	screen screen
	what   string // first column
	total  int64  // bytes; 0: unknown
	done   int64
	began  time.Time
	drawn  time.Time
}

// NewProgress begins a transfer of total bytes, 0 when nobody knows. The word names it: "fetched".
func NewProgress(o *Output, word string, total int64) *Progress {
	return &Progress{screen: screen{o: o}, what: word, total: total, began: time.Now()}
}

// Reader counts what is read from r.
func (p *Progress) Reader(r io.Reader) io.Reader { return &progressReader{r, p} }

type progressReader struct {
	r io.Reader
	p *Progress
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.p.Add(int64(n))
	return n, err
}

// Add counts bytes.
func (p *Progress) Add(n int64) {
	p.done += n
	if now := time.Now(); p.screen.o.live && now.Sub(p.drawn) >= redraw {
		p.drawn = now
		p.screen.draw([]string{p.line()})
	}
}

const barWidth = 24

func (p *Progress) line() string {
	text := fmt.Sprintf("%-8s  ", p.what)
	rate := Size(int64(float64(p.done)/max(time.Since(p.began).Seconds(), 0.001))) + "/s"
	if p.total <= 0 {
		return text + Size(p.done) + "  " + rate
	}
	share := min(float64(p.done)/float64(p.total), 1)
	full := int(share * barWidth)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	return fmt.Sprintf("%s%s %3.0f %%  %s of %s  %s", text, bar, share*100, Size(p.done), Size(p.total), rate)
}

// Done takes the bar away and writes one line in its place: the word, what was moved, how long it took.
func (p *Progress) Done(moved string) {
	p.Stop()
	Fact(p.screen.o, p.what, moved, time.Since(p.began))
}

// Stop takes the bar away, for a transfer that failed.
func (p *Progress) Stop() {
	if p.screen.shown > 0 {
		p.screen.clear()
	}
}

// Fact writes one line of a command's account of itself: a word in the first column, what happened, and at the right
// how long it took.
func Fact(o *Output, word, what string, took time.Duration) {
	o.Lines(strings.TrimRight(fmt.Sprintf("%-8s  %-66s %8s", word, oneLine(what), Duration(took)), " "))
}

// Status is one line that follows a number until something is reached; in a pipe, each new text is a line.
type Status struct {
	screen screen
	last   string
}

// NewStatus begins a status line.
func NewStatus(o *Output) *Status { return &Status{screen: screen{o: o}} }

// Set shows a text in place of the last one.
func (s *Status) Set(text string) {
	switch {
	case text == s.last:
	case s.screen.o.live:
		s.screen.draw([]string{text})
	default:
		s.screen.o.Lines(text)
	}
	s.last = text
}

// End takes the line off a terminal.
func (s *Status) End() {
	if s.screen.o.live {
		s.screen.clear()
	}
}
