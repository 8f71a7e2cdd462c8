package terminal

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Table aligns rows in columns. Cells may be painted; their width is what is seen of them.
type Table struct {
	Head   []string     // faint, left out when nil
	Right  map[int]bool // columns aligned at their right: numbers
	Indent string
	rows   [][]string
}

// Row adds a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Print writes the table; on a terminal, lines are cut at its width.
func (t *Table) Print(o *Output) { o.Lines(t.lines(o)...) }

func (t *Table) lines(o *Output) []string {
	all := t.rows
	if t.Head != nil {
		head := make([]string, len(t.Head))
		for i, h := range t.Head {
			head[i] = o.paint(faint, h)
		}
		all = append([][]string{head}, all...)
	}
	var widths []int
	for _, row := range all {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	lines := make([]string, len(all))
	for i, row := range all {
		lines[i] = o.fit(t.line(row, widths))
	}
	return lines
}

func (t *Table) line(row []string, widths []int) string {
	var b strings.Builder
	b.WriteString(t.Indent)
	for i, cell := range row {
		pad := strings.Repeat(" ", widths[i]-ansi.StringWidth(cell))
		switch {
		case t.Right[i]:
			b.WriteString(pad + cell)
		default:
			b.WriteString(cell + pad)
		}
		if i < len(row)-1 {
			b.WriteString("   ")
		}
	}
	return strings.TrimRight(b.String(), " ")
}
