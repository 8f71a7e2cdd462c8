package compare

import (
	"io"
	"slices"
)

// Divergence is where and how the logs of one job go apart.
type Divergence struct {
	Job        string `json:"job"`
	GreenLines int    `json:"greenLines"`
	RedLines   int    `json:"redLines"`
	Places     int    `json:"places"`          // at which they differ
	Moved      int    `json:"moved,omitempty"` // lines that both have, in another order
	Cut        bool   `json:"cut,omitempty"`   // lines beyond MaxLines were not looked at
	Missing    string `json:"missing,omitempty"`

	Phase   string `json:"phase,omitempty"` // of red, at the first place
	Command string `json:"command,omitempty"`
	First   []Row  `json:"first,omitempty"`
	// GreenMore and RedMore are how many lines of the first place First leaves out.
	GreenMore int `json:"greenMore,omitempty"`
	RedMore   int `json:"redMore,omitempty"`
}

// How much of the first place is told.
const (
	firstContext = 2
	firstGreen   = 5
	firstRed     = 10
)

// Diverge reads two logs, each twice, and tells how they differ first. Each call of a function must open its log anew.
func Diverge(job string, green, red func() (io.ReadCloser, error)) (Divergence, error) {
	d := Divergence{Job: job}
	a, g, r, err := align(green, red)
	if err != nil {
		return d, err
	}
	d.GreenLines, d.RedLines, d.Places, d.Moved, d.Cut = g.Lines, r.Lines, len(a.Changes), a.Moved, g.Cut || r.Cut
	if len(a.Changes) == 0 {
		return d, nil
	}
	first := *a
	first.Changes = a.Changes[:1:1]
	if !a.hasRed(first.Changes[0]) {
		// Something is missing in red: what it says instead is told, too.
		if k := slices.IndexFunc(a.Changes, a.hasRed); k > 0 {
			first.Changes = append(first.Changes, a.Changes[k])
		}
	}
	err = walk(green, red, &first, firstContext, func(row Row) bool { return d.add(row, len(first.Changes) == 1) })
	return d, err
}

// hasRed tells whether red has lines at a place that green does not have.
func (a *Alignment) hasRed(c Change) bool {
	return slices.Contains(a.redMoved[c.RedFrom:c.RedTo], false)
}

// add takes a row of the places that are told, of which there may be one only. What follows them tells nothing of how they came
// about.
func (d *Divergence) add(row Row, one bool) (more bool) {
	greens, reds := 0, 0
	for _, r := range d.First {
		switch r.Kind {
		case Green:
			greens++
		case Red:
			reds++
		}
	}
	switch {
	case row.Kind == Gap && len(d.First) == 0:
		return true
	case row.Kind == Same && (reds > 0 || greens > 0 && one):
		return false
	case row.Kind == Green && greens == firstGreen:
		d.GreenMore++
		return true
	case row.Kind == Red && reds == firstRed:
		d.RedMore++
		return true
	}
	if (row.Kind == Green || row.Kind == Red) && greens+reds == 0 {
		d.Phase, d.Command = row.Phase, row.Command
	}
	d.First = append(d.First, row)
	return true
}

// All visits all places at which two logs differ, with their context. It reads each log twice.
func All(green, red func() (io.ReadCloser, error), context int, visit func(Row) (more bool)) error {
	a, _, _, err := align(green, red)
	if err != nil || len(a.Changes) == 0 {
		return err
	}
	return walk(green, red, a, context, visit)
}

func align(green, red func() (io.ReadCloser, error)) (a *Alignment, g, r *Log, err error) {
	if g, err = readAll(green); err != nil {
		return nil, nil, nil, err
	}
	if r, err = readAll(red); err != nil {
		return nil, nil, nil, err
	}
	return Align(g.Sums, r.Sums), g, r, nil
}

func readAll(open func() (io.ReadCloser, error)) (*Log, error) {
	in, err := open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Read(in)
}

func walk(green, red func() (io.ReadCloser, error), a *Alignment, context int, visit func(Row) bool) error {
	g, err := green()
	if err != nil {
		return err
	}
	defer g.Close()
	r, err := red()
	if err != nil {
		return err
	}
	defer r.Close()
	return Walk(g, r, a, context, visit)
}
