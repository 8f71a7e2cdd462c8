package compare

import (
	"bytes"
	"io"
	"iter"
)

// Kind says what a row of a comparison is.
type Kind string

// The kinds of row.
const (
	Same  Kind = "same"  // in both logs
	Green Kind = "green" // in green's alone
	Red   Kind = "red"   // in red's alone
	Gap   Kind = "gap"   // lines are left out, which are the same; it has no text
)

// Row is one line of a comparison.
type Row struct {
	Kind   Kind   `json:"kind"`
	Number int    `json:"line,omitempty"` // in its log, of lines in both in red's
	Text   string `json:"text"`           // as a terminal would show it
	Normal string `json:"-"`
	// Phase and Command are what red was at, as its log says.
	Phase   string `json:"-"`
	Command string `json:"-"`
}

// maxText is how much of a line a row has.
const maxText = 2000

// Walk reads both logs once more and visits the lines of each change, with so many lines of context, until visit says that it
// wants no more.
func Walk(green, red io.Reader, a *Alignment, context int, visit func(Row) (more bool)) error {
	w := walker{visit: visit, more: true, green: newCursor(green), red: newCursor(red)}
	defer w.green.stop()
	defer w.red.stop()
	shown := 0 // lines of red that are behind us
	for k, c := range a.Changes {
		from := max(c.RedFrom-context, shown)
		w.pass(w.red, from, nil)
		if from > shown {
			w.show(Row{Kind: Gap})
		}
		w.pass(w.red, c.RedFrom, func(int) Kind { return Same })
		w.pass(w.green, c.GreenFrom, nil)
		w.pass(w.green, c.GreenTo, func(i int) Kind { return only(Green, a.GreenOnly(i)) })
		w.pass(w.red, c.RedTo, func(i int) Kind { return only(Red, a.RedOnly(i)) })
		shown = c.RedTo + context
		if k+1 < len(a.Changes) {
			shown = min(shown, a.Changes[k+1].RedFrom)
		}
		w.pass(w.red, shown, func(int) Kind { return Same })
		if !w.more {
			break
		}
	}
	return firstError(w.green.err, w.red.err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// only leaves out lines that the other log has in another place.
func only(k Kind, is bool) Kind {
	if is {
		return k
	}
	return ""
}

type walker struct {
	visit      func(Row) bool
	more       bool
	green, red *cursor
}

func (w *walker) show(row Row) {
	if w.more {
		row.Phase, row.Command = w.red.phase, w.red.command
		w.more = w.visit(row)
	}
}

// pass goes on to the line of an index, and shows those before it that have a kind.
func (w *walker) pass(c *cursor, to int, kind func(index int) Kind) {
	for w.more && c.index < to {
		line, ok := c.next()
		if !ok {
			return
		}
		c.index++
		c.note(line.Raw)
		if kind == nil {
			continue
		}
		if k := kind(line.Index); k != "" {
			text := Shown(line.Raw)
			if said, own := ownText(text); own {
				text = append([]byte(ownMark), said...) // when it was said, differs
			}
			w.show(Row{Kind: k, Number: line.Number, Text: string(text[:min(len(text), maxText)]), Normal: string(line.Normal[:min(len(line.Normal), maxText)])})
		}
	}
}

// cursor is a place in a log that is read.
type cursor struct {
	next           func() (Line, bool)
	stop           func()
	index          int
	err            error
	phase, command string
}

func newCursor(r io.Reader) *cursor {
	c := &cursor{}
	c.next, c.stop = iter.Pull(func(yield func(Line) bool) { c.err = Lines(r, yield) })
	return c
}

// note remembers the phase and the command of which a log tells.
func (c *cursor) note(raw []byte) {
	said, own := ownText(bytes.TrimSpace(raw))
	if !own {
		return
	}
	if text, ok := bytes.CutPrefix(said, []byte("Running command ")); ok {
		c.command = string(text[:min(len(text), maxText)])
	} else if text, ok := bytes.CutPrefix(said, []byte("Entering phase ")); ok {
		c.phase, c.command = string(text[:min(len(text), maxText)]), ""
	}
}
