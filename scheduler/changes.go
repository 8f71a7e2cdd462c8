package scheduler

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// rememberedChanges bounds the builds and triggers of which is remembered when they last changed. Each is there once, so that a
// watcher that was away finds what it missed, unless more than these have changed meanwhile.
const rememberedChanges = 4096

// Moment is a point between changes, of one process of the daemon. It counts microseconds rather than changes, so that it tells
// nobody how many there were.
type Moment struct {
	Epoch uint64 // of the daemon
	Seq   uint64
}

// String is how a moment is written; ParseMoment reads it.
func (m Moment) String() string { return fmt.Sprintf("%d-%d", m.Epoch, m.Seq) }

// ParseMoment reads a moment. What is none is the zero moment, before which everything is forgotten.
func ParseMoment(text string) (m Moment) {
	if n, err := fmt.Sscanf(text, "%d-%d", &m.Epoch, &m.Seq); err != nil || n != 2 {
		return Moment{}
	}
	return m
}

// Changed is what changed since a moment.
type Changed struct {
	Now      Moment
	Builds   []string // ids, each once, in the order of their last change
	Triggers []string
	Daemon   bool // projects, settings or whether it drains
	Missed   bool // more than is remembered: whoever asks has to look at everything again
}

// changes remembers in which order builds and triggers last changed. The topic "" is the daemon itself.
type changes struct {
	began  time.Time
	last   uint64
	gone   uint64 // of the newest change that is forgotten
	order  *list.List
	topics map[string]*list.Element // of change
}

type change struct {
	topic string
	seq   uint64
}

// now moves on to this moment, which is after every change before it.
func (c *changes) now() uint64 {
	if c.topics == nil {
		c.began, c.order, c.topics = time.Now(), list.New(), make(map[string]*list.Element)
	}
	c.last = max(c.last, uint64(time.Since(c.began).Microseconds()))
	return c.last
}

func (c *changes) note(topic string) {
	c.last = c.now() + 1
	if e := c.topics[topic]; e != nil {
		e.Value.(*change).seq = c.last
		c.order.MoveToBack(e)
		return
	}
	c.topics[topic] = c.order.PushBack(&change{topic, c.last})
	if c.order.Len() > rememberedChanges {
		oldest := c.order.Remove(c.order.Front()).(*change)
		delete(c.topics, oldest.topic)
		c.gone = oldest.seq
	}
}

// since tells what changed after a moment.
func (c *changes) since(seq uint64) (out Changed) {
	out.Now.Seq = c.now()
	if seq < c.gone || seq > out.Now.Seq {
		out.Missed = true
		return out
	}
	e := c.order.Back()
	for e != nil && e.Value.(*change).seq > seq {
		e = e.Prev()
	}
	if e == nil {
		e = c.order.Front()
	} else {
		e = e.Next()
	}
	for ; e != nil; e = e.Next() {
		switch topic := e.Value.(*change).topic; {
		case topic == "":
			out.Daemon = true
		case strings.Contains(topic, "#"):
			out.Builds = append(out.Builds, topic)
		default:
			out.Triggers = append(out.Triggers, topic)
		}
	}
	return out
}

// ChangedSince tells what changed since a moment. A moment of another process of the daemon is one of which nothing is remembered.
func (s *Scheduler) ChangedSince(m Moment) Changed {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	out := s.hub.changes.since(m.Seq)
	if m.Epoch != s.epoch {
		out = Changed{Now: out.Now, Missed: true}
	}
	out.Now.Epoch = s.epoch
	return out
}

// Now is the moment after all that has changed so far.
func (s *Scheduler) Now() Moment {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return Moment{Epoch: s.epoch, Seq: s.hub.changes.now()}
}

// WatchAll returns a channel that gets a value, coalesced, after each change of anything. It is closed when ctx ends.
func (s *Scheduler) WatchAll(ctx context.Context) <-chan struct{} { return s.hub.watch(ctx, "") }

// StatusOf reads how far builds have come, without their plans. Those that are gone are left out.
func (s *Scheduler) StatusOf(builds []string) (map[string]Status, error) {
	out := make(map[string]Status, len(builds))
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, id := range builds {
			key, err := keyOf(id)
			if err != nil {
				return err
			}
			b, err := get[struct{ Status Status }](tx, bucketBuilds, key)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			out[id] = b.Status
		}
		return nil
	})
	return out, err
}
