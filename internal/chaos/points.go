package main

import (
	"sync"

	"github.com/runner-ci/runner/internal/failpoint"
)

// points goes round all failpoints.
type points struct {
	mu    sync.Mutex
	names []string
	next  int
	turn  int
	hits  map[string]int
}

func newPoints(all []failpoint.Point) *points {
	p := &points{hits: make(map[string]int)}
	for _, point := range all {
		p.names = append(p.names, point.Name)
	}
	return p
}

// arm is the next point for a daemon to die at: every second time one that was not reached yet, if there is any.
func (p *points) arm() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	name := p.names[p.next]
	for range p.names {
		name = p.names[p.next]
		p.next = (p.next + 1) % len(p.names)
		if p.hits[name] == 0 || p.turn%2 == 0 {
			break
		}
	}
	return name
}

func (p *points) hit(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[name]++
}

func (p *points) all() int { return len(p.names) }

func (p *points) reached() int { return p.all() - len(p.missed()) }

func (p *points) missed() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.names {
		if p.hits[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}
