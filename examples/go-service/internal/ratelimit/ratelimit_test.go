package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// clock moves only when it is told to.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func TestBurstThenSteady(t *testing.T) {
	c := &clock{time.Unix(0, 0)}
	l := New(2, 5, c.now)
	for i := range 5 {
		if ok, _ := l.Allow("mia"); !ok {
			t.Fatalf("request %d of the burst was refused", i)
		}
	}
	ok, wait := l.Allow("mia")
	if ok || wait != 500*time.Millisecond {
		t.Fatalf("the sixth: %v, wait %s; want a refusal and half a second", ok, wait)
	}
	if ok, _ := l.Allow("noor"); !ok {
		t.Error("another client pays for the first one's burst")
	}
	c.advance(wait)
	if ok, _ := l.Allow("mia"); !ok {
		t.Error("refused after the wait it was told")
	}
}

// TestNeverMoreThanPromised sends at random times and counts: in any run at most burst + rate x time pass.
func TestNeverMoreThanPromised(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		c := &clock{time.Unix(1000, 0)}
		rate, burst := 1+random.Float64()*20, 1+random.IntN(30)
		l := New(rate, burst, c.now)
		passed, began := 0, c.now()
		for range 20_000 {
			c.advance(time.Duration(random.IntN(100)) * time.Millisecond)
			if ok, _ := l.Allow("mia"); ok {
				passed++
			}
		}
		most := float64(burst) + rate*c.now().Sub(began).Seconds()
		if float64(passed) > most+1e-6 {
			t.Errorf("seed %d: %d passed, at most %.1f may", seed, passed, most)
		}
	}
}

func TestForgetsTheQuiet(t *testing.T) {
	c := &clock{time.Unix(0, 0)}
	l := New(1, 10, c.now)
	for i := range 1000 {
		l.Allow(fmt.Sprint("client", i))
	}
	c.advance(2 * time.Minute)
	l.Allow("the only one")
	if n := l.Clients(); n != 1 {
		t.Errorf("%d clients are remembered, want 1", n)
	}
}
