//go:build linux

package agent

import "slices"

// Which early reports belong to a batch: those that were told since it began. Reports do not say by which call they were
// written, so none belong to a batch beside which another call ran one.

// begins notes that a batch begins.
func (c *shardCall) begins() {
	c.from = c.early.told()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.busy {
		other.beside = true
	}
	c.beside = len(c.busy) > 0
	c.busy = append(c.busy, c)
}

// ends notes that no batch of the call runs any more.
func (c *shardCall) ends() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = slices.DeleteFunc(c.busy, func(other *shardCall) bool { return other == c })
}

// told looks for the reports of a batch that has run, and returns the numbers of those that belong to it.
func (c *shardCall) told() (from, until int) {
	from, until = c.from, c.early.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beside {
		from = until
	}
	return from, until
}
