// Package ratelimit gives each client a bucket of tokens that fills at a steady rate.
package ratelimit

import (
	"sync"
	"time"
)

// Limiter is safe for concurrent use.
type Limiter struct {
	mu      sync.Mutex
	rate    float64 // tokens a second
	burst   float64
	now     func() time.Time
	buckets map[string]bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	filled time.Time
}

// New returns a limiter that allows burst requests at once and rate a second after that. A nil now is time.Now.
func New(rate float64, burst int, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{rate: rate, burst: float64(burst), now: now, buckets: map[string]bucket{}, swept: now()}
}

// Allow takes a token of the client's. Without one it tells how long to wait for the next.
func (l *Limiter) Allow(client string) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	b, known := l.buckets[client]
	if !known {
		b = bucket{l.burst, now}
	}
	b.tokens = min(l.burst, b.tokens+now.Sub(b.filled).Seconds()*l.rate)
	b.filled = now
	if b.tokens >= 1 {
		b.tokens--
		ok = true
	} else {
		wait = time.Duration((1 - b.tokens) / l.rate * float64(time.Second))
	}
	l.buckets[client] = b
	return ok, wait
}

// sweep forgets clients whose bucket is full again, once a minute: they are as good as new.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for client, b := range l.buckets {
		if b.tokens+now.Sub(b.filled).Seconds()*l.rate >= l.burst {
			delete(l.buckets, client)
		}
	}
}

// Clients is how many are remembered.
func (l *Limiter) Clients() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}
