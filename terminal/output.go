// Package terminal is how results look on a terminal or in a pipe: live view, tables, durations, sizes, progress.
//
// Every view exists twice. On a terminal a block of lines at the bottom is redrawn and log lines scroll above it;
// in a pipe the same facts are plain lines, each written once. What came out of a sandbox or a forge passes a
// filter before it reaches a terminal: colours get through, nothing else that a terminal would act upon.
package terminal

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// Output is one place that results go to. Its methods may be called by several goroutines.
type Output struct {
	mu    sync.Mutex
	w     io.Writer
	fd    uintptr
	live  bool
	color bool
	width int // 0: ask the terminal

	explained map[string]bool // failed tests that were explained while their build ran, by id
}

// Color says when results are coloured.
type Color string

// The values of Color.
const (
	ColorAuto   Color = "auto"   // on a terminal that can show colours, as NO_COLOR and CLICOLOR_FORCE say
	ColorAlways Color = "always" // in a pipe, too
	ColorNever  Color = "never"
)

// Colors are all values of Color.
var Colors = []string{string(ColorAuto), string(ColorAlways), string(ColorNever)}

// New looks at where w leads. The live view needs a terminal that can move its cursor; colour needs one too, unless
// CLICOLOR_FORCE is set, and NO_COLOR to be unset or empty, which goes before (https://no-color.org).
func New(w io.Writer) *Output { return NewColored(w, ColorAuto) }

// NewColored is New for somebody who said when there are to be colours.
func NewColored(w io.Writer, color Color) *Output {
	o := &Output{w: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb" {
		o.fd, o.live = f.Fd(), true
	}
	switch color {
	case ColorAlways:
		o.color = true
	case ColorNever:
	default:
		force := os.Getenv("CLICOLOR_FORCE")
		o.color = os.Getenv("NO_COLOR") == "" && (o.live || force != "" && force != "0")
	}
	return o
}

// Live tells whether the output is a terminal on which a view can be redrawn.
func (o *Output) Live() bool { return o.live }

// Write writes bytes as they are.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// fallbackWidth is assumed where a terminal does not tell its width.
const fallbackWidth = 80

func (o *Output) columns() int {
	if o.width > 0 {
		return o.width
	}
	if width, _, err := term.GetSize(o.fd); err == nil && width > 0 {
		return width
	}
	return fallbackWidth
}

// rows is how many lines of a live block fit, with one to spare for the cursor.
func (o *Output) rows() int {
	if o.width > 0 {
		return 24
	}
	if _, height, err := term.GetSize(o.fd); err == nil && height > 2 {
		return height - 1
	}
	return 23
}

// fit cuts a styled line to the terminal's width; a pipe gets all of it.
func (o *Output) fit(line string) string {
	if !o.live {
		return line
	}
	return ansi.Truncate(line, o.columns()-1, "…")
}

// Lines writes whole lines.
func (o *Output) Lines(lines ...string) {
	if len(lines) > 0 {
		_, _ = io.WriteString(o, strings.Join(lines, "\n")+"\n")
	}
}

// JSON writes a value as indented JSON with a line end.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
