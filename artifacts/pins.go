package artifacts

import "sync"

// pins says which generations are being read, so that Collect passes over them. They live in memory: a reader does
// not outlive the process, nor does another process open the file.
type pins struct {
	mu     sync.Mutex
	held   map[uint64]int
	doomed map[uint64]bool // Collect has begun on these
}

// take pins gen. It reports false when Collect was faster: gen was removed, and its id is to be looked up again.
func (p *pins) take(gen uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doomed[gen] {
		return false
	}
	if p.held == nil {
		p.held = map[uint64]int{}
	}
	p.held[gen]++
	return true
}

// release returns a function that undoes one take, once.
func (p *pins) release(gen uint64) func() {
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.held[gen]--; p.held[gen] <= 0 {
			delete(p.held, gen)
		}
	})
}

// reading reports whether gen is pinned.
func (p *pins) reading(gen uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[gen] > 0
}

// condemn lets Collect begin on gen. It reports false while gen is read.
func (p *pins) condemn(gen uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[gen] > 0 {
		return false
	}
	if p.doomed == nil {
		p.doomed = map[uint64]bool{}
	}
	p.doomed[gen] = true
	return true
}

// forget is called when nothing of gen is left.
func (p *pins) forget(gen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.doomed, gen)
}
