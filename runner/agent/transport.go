//go:build linux

package agent

import (
	"os"
	"sync"
	"time"
)

// outlet opens the stream to whoever is attached now.
type outlet interface {
	open() (*os.File, error)
	// done is told when a reader is gone, or replaced.
	done(*os.File)
}

// transport carries the spool to the attached reader. One goroutine writes; it alone may be held up by a reader.
type transport struct {
	spool  *spool
	outlet outlet
	poke   chan struct{} // something changed; capacity 1

	mu       sync.Mutex
	attach   uint64 // grows with each accepted hello
	last     uint64 // the last frame that the reader has
	notices  [][]byte
	file     *os.File
	attached bool
	sent     uint64 // the newest frame that was sent in this attach
	progress uint64 // grows with each write that succeeded
}

func newTransport(out outlet) *transport {
	return &transport{outlet: out, poke: make(chan struct{}, 1)}
}

// wake tells the goroutine that there is something to do. It never blocks.
func (t *transport) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// restart begins a new attach: greeting first, then every frame after last. Whatever the former reader was being
// sent is cut short.
func (t *transport) restart(last uint64, greeting []byte) {
	t.mu.Lock()
	t.attach++
	t.last, t.sent = last, last
	t.attached = true
	t.notices = [][]byte{greeting}
	if t.file != nil {
		_ = t.file.SetWriteDeadline(time.Unix(1, 0)) // a file without deadlines does not stall either
	}
	t.mu.Unlock()
	t.wake()
}

// notify sends one line between frames.
func (t *transport) notify(line []byte) {
	t.mu.Lock()
	if len(t.notices) < maxNotices {
		t.notices = append(t.notices, line)
	}
	t.mu.Unlock()
	t.wake()
}

// pass sends one line between frames if somebody is attached, and forgets it otherwise: whoever attaches later learns
// of it from the greeting.
func (t *transport) pass(line []byte) {
	t.mu.Lock()
	attached := t.attached
	t.mu.Unlock()
	if attached {
		t.notify(line)
	}
}

// maxNotices bounds the answers that wait for a reader who asks but does not read.
const maxNotices = 64

// run writes until the process ends.
func (t *transport) run() {
	var tail *tail
	var current uint64
	for range t.poke {
		for {
			t.mu.Lock()
			if t.attach != current {
				current = t.attach
				t.reopen()
				tail = newTail(t.spool, t.last)
			}
			file, notices := t.file, t.notices
			t.notices = nil
			attached := t.attached
			t.mu.Unlock()

			if len(notices) > 0 {
				t.sendNotices(current, file, notices)
				continue
			}
			if !attached || file == nil || tail == nil {
				break
			}
			lines, newest := tail.next()
			if len(lines) == 0 {
				break
			}
			t.write(current, file, lines, newest)
		}
	}
}

// reopen gets the stream of a new attach. It is called with the lock held.
func (t *transport) reopen() {
	if t.file != nil {
		t.outlet.done(t.file)
	}
	file, err := t.outlet.open()
	if err != nil {
		t.file, t.attached = nil, false
		return
	}
	_ = file.SetWriteDeadline(time.Time{})
	t.file = file
}

// sendNotices also serves a reader whose hello was refused, and who therefore has no attach.
func (t *transport) sendNotices(attach uint64, file *os.File, notices [][]byte) {
	if file == nil {
		var err error
		if file, err = t.outlet.open(); err != nil {
			return
		}
		defer t.outlet.done(file)
	}
	lines := []byte{'\n'} // ends half a line that a former attach was cut short in
	for _, n := range notices {
		lines = append(lines, n...)
	}
	t.write(attach, file, lines, 0)
}

// write sends lines, and gives the reader up when it is gone.
func (t *transport) write(attach uint64, file *os.File, lines []byte, newest uint64) {
	_, err := file.Write(lines)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.attach != attach {
		return
	}
	if err != nil {
		t.attached = false
		if t.file == file {
			t.outlet.done(file)
			t.file = nil
		}
		return
	}
	t.sent = max(t.sent, newest)
	t.progress++
}

// drain waits until the attached reader has every frame, is gone, or takes nothing for the time of patience.
func (t *transport) drain(patience time.Duration) {
	const tick = 2 * time.Millisecond
	want := t.spool.newest()
	var seen uint64
	for idle := time.Duration(0); idle < patience; idle += tick {
		t.mu.Lock()
		over := !t.attached || t.sent >= want && len(t.notices) == 0
		if t.progress != seen {
			seen, idle = t.progress, 0
		}
		t.mu.Unlock()
		if over {
			return
		}
		t.wake()
		time.Sleep(tick)
	}
}
