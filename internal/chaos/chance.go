package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// chance is a source of chance that several may draw from. The same seed gives the same row of draws; who draws first is
// up to the machine, so that each of those who draw much has a source of its own.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newChance(seed uint64) *chance { return &chance{rng: rand.New(rand.NewPCG(seed, 0))} }

// fork is a source of its own, numbered.
func (c *chance) fork(seed, n uint64) *chance { return &chance{rng: rand.New(rand.NewPCG(seed, n))} }

// below draws a number from 0 to n-1.
func (c *chance) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// between draws a time.
func (c *chance) between(least, most time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}
