package tests

import (
	"strconv"
	"time"
)

// Run is where and when cases were run. The zero value is the only run of a plain build.
type Run struct {
	// Shard numbers the shards of a build, Attempt the attempts of that shard.
	Shard   int `json:"shard"`
	Attempt int `json:"attempt"`
	// Round is 0 for the first pass over the tests, 1 for the rerun of those that failed, and so on. It is the build's,
	// not the shard's: a rerun may happen anywhere.
	Round int `json:"round,omitempty"`
}

// Part is what one report file of one run says. Make it with NewPart.
type Part struct {
	Run  Run
	Name string // the file's name, relative to the source root
	// Took is how long the whole run took, by the clock, if the caller knows: the same in each part of the run. Where no
	// part knows, the sum of the cases' durations stands for it.
	Took  time.Duration
	Cases []Case
	Files map[string]*FileCoverage
	// Problems are why the file, or a piece of it, could not be read.
	Problems []string

	byID   map[string]int
	repeat map[string]int
}

// NewPart begins the part of one report file.
func NewPart(run Run, name string) *Part {
	return &Part{Run: run, Name: name, Files: map[string]*FileCoverage{}, byID: map[string]int{}, repeat: map[string]int{}}
}

// Case takes a case in. It never fails; the error fits it to a parser's sink.
func (p *Part) Case(c *Case) error {
	id := c.ID
	if id == "" {
		id = Identify(c)
	}
	at, seen := p.byID[id]
	if seen && c.Unique {
		p.Cases[at].Again(*c)
		return nil
	}
	for base := id; seen; _, seen = p.byID[id] {
		p.repeat[base]++
		id = base + "#" + strconv.Itoa(p.repeat[base]+1)
	}
	p.byID[id] = len(p.Cases)
	p.Cases = append(p.Cases, *c)
	p.Cases[len(p.Cases)-1].ID = id
	return nil
}

// File takes a source file's coverage in. It never fails; the error fits it to a parser's sink.
func (p *Part) File(f *FileCoverage) error {
	if old := p.Files[f.Path]; old != nil {
		old.Join(f)
		return nil
	}
	p.Files[f.Path] = f.clone()
	return nil
}

// Problem notes why the file could not be read to its end. A nil error is none.
func (p *Part) Problem(err error) {
	if err != nil {
		p.Problems = append(p.Problems, err.Error())
	}
}
