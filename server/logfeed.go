package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
)

const (
	// feedPause is the least time between two events of a live log.
	feedPause = 100 * time.Millisecond
	// outlinePause is the least time between two looks at its outline.
	outlinePause = time.Second
	// feedBytes is how much a feed remembers for those who are a little slow. Whoever is behind that reads for itself, from the
	// store, and holds nobody up.
	feedBytes = 1 << 20
)

// feeds are the live logs that are watched, each read once for all who watch it.
type feeds struct {
	mu   sync.Mutex
	live map[string]*feed
}

// feed is one live log, cut into events.
type feed struct {
	key    string
	users  int // under the lock of feeds
	cancel context.CancelFunc

	mu      sync.Mutex
	parts   []feedPart
	before  int // how many were dropped before parts
	size    int // bytes of parts
	pos     int64
	over    bool
	changed chan struct{}
}

// feedPart is one event.
type feedPart struct {
	from, to int64  // bytes of the log, both beginnings of lines
	line     int64  // number of the line that begins at to
	text     []byte // the event
}

// join returns the feed of a log, which begins to be read with the first who watches it.
func (fs *feeds) join(a *api, build, job string, place logPlace) *feed {
	key := fmt.Sprintf("%s %d %s", build, place.attempt, job)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.live[key]
	if f == nil {
		if fs.live == nil {
			fs.live = map[string]*feed{}
		}
		ctx, cancel := context.WithCancel(context.Background())
		f = &feed{key: key, cancel: cancel, changed: make(chan struct{})}
		fs.live[key] = f
		go f.run(&follower{a: a, ctx: ctx, build: build, job: job, attempt: place.attempt})
	}
	f.users++
	return f
}

// leave ends the feed with the last who watches it.
func (fs *feeds) leave(f *feed) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.users--; f.users == 0 {
		f.cancel()
		delete(fs.live, f.key)
	}
}

// next returns the event that follows the first seq ones, for somebody who has the log up to a byte. If that is none of the
// events' boundaries, or older than all, behind is the byte up to which to read by oneself. With nothing to have, more is closed
// when there is; it is nil once there will be no more.
func (f *feed) next(seq *int, pos int64) (part *feedPart, behind int64, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := *seq - f.before
	if i <= 0 || i > len(f.parts) { // not had anything of it yet, or fell behind
		for i = 0; i < len(f.parts) && f.parts[i].from < pos; i++ {
		}
	}
	start := f.pos
	if i < len(f.parts) {
		start = f.parts[i].from
	}
	switch {
	case pos < start:
		*seq = f.before + i
		return nil, start, nil
	case i < len(f.parts):
		*seq = f.before + i + 1
		return &f.parts[i], 0, nil
	case f.over:
		return nil, 0, nil
	}
	*seq = f.before + i
	return nil, 0, f.changed
}

// add makes an event known.
func (f *feed) add(p feedPart) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts = append(f.parts, p)
	f.pos = p.to
	f.size += len(p.text)
	for len(f.parts) > 1 && f.size > feedBytes {
		f.size -= len(f.parts[0].text)
		f.parts, f.before = f.parts[1:], f.before+1
	}
	f.wake()
}

func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// run reads the log until it is over, or nobody watches it any more. What is left then everybody reads for itself.
func (f *feed) run(log *follower) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.over = true
		f.wake()
	}()
	over, stop := log.untilOver()
	defer stop()
	place, err := log.awaitLog(over)
	if err == nil && place.log != "" && !place.over {
		r := &feedReader{f: f, a: log.a, ctx: over, build: log.build, job: log.job, place: place}
		err = r.run()
	}
	if err != nil && over.Err() == nil {
		log.a.Logger.Error("reading a log for those who watch it", "build", log.build, "job", log.job, "error", err)
	}
}

// feedReader reads the log of a feed.
type feedReader struct {
	f     *feed
	a     *api
	ctx   context.Context // until the attempt is over
	build string
	job   string
	place logPlace

	cut     partCutter
	outline client.LogOutline
	looked  time.Time
	due     bool // the build has changed since
}

func (r *feedReader) run() error {
	if err := r.begin(); err != nil {
		return err
	}
	changed := r.a.Scheduler.Watch(r.ctx, r.build)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		size, err := r.await(changed)
		for err == nil && r.cut.pos < size {
			err = r.read(size)
		}
		if err == nil {
			err = r.lookAtOutline()
		}
		if err != nil {
			return err
		}
		pause.Reset(feedPause)
		select {
		case <-pause.C:
		case <-r.ctx.Done():
			return nil
		}
	}
}

// begin begins with the line that the log ends with.
func (r *feedReader) begin() error {
	have, err := r.a.linesOf(r.ctx, r.place)
	if err != nil {
		return err
	}
	ends := have.Lines
	if have.Open {
		ends--
	}
	offset, err := r.a.Artifacts.LineOffset(r.ctx, r.place.log, ends)
	if err != nil {
		return err
	}
	r.cut.splitter = splitter{number: ends + 1, offset: offset, pos: offset}
	r.f.mu.Lock()
	r.f.pos = offset
	r.f.wake()
	r.f.mu.Unlock()
	r.outline, err = r.a.outline(r.ctx, r.build, r.job, r.place.attempt)
	r.looked = time.Now()
	return err
}

// await waits for more of the log, or for a change of the build, which may be one of the outline; it returns the log's size.
func (r *feedReader) await(changed <-chan struct{}) (int64, error) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	if r.due {
		ctx, cancel = context.WithDeadline(ctx, r.looked.Add(outlinePause))
		defer cancel()
	}
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		select {
		case <-changed:
			r.due = true
			cancel()
		case <-ctx.Done():
		}
	}()
	st, err := r.a.Artifacts.AwaitLog(ctx, r.place.log, r.cut.pos)
	if err == nil && st.Sealed && st.Bytes <= r.cut.pos {
		<-ctx.Done() // the attempt is about to be over
	}
	cancel()
	<-stop
	if r.ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		err = nil
	}
	return st.Bytes, err
}

// read makes an event of what the log has more, up to a byte.
func (r *feedReader) read(end int64) error {
	log := r.a.Artifacts.ReadLog(r.ctx, r.place.log, r.cut.pos, false)
	defer log.Close()
	if err := r.cut.read(log, end); err != nil {
		return err
	}
	r.f.add(r.cut.part(r.place))
	return nil
}

// lookAtOutline makes an event of the outline, if it has changed.
func (r *feedReader) lookAtOutline() error {
	if !r.due || time.Since(r.looked) < outlinePause {
		return nil
	}
	r.looked, r.due = time.Now(), false
	now, err := r.a.outline(r.ctx, r.build, r.job, r.place.attempt)
	if err != nil || sameOutline(now, r.outline) {
		return err
	}
	r.outline = now
	at := r.cut.offset
	r.f.add(feedPart{from: at, to: at, line: r.cut.number, text: logEvent("outline", at, now)})
	return nil
}

// partCutter makes events of a log. It goes on in the middle of a line that was open.
type partCutter struct {
	splitter
	lines client.LogLines
	from  int64
}

// read takes what makes an event, up to byte end of the log.
func (c *partCutter) read(r io.Reader, end int64) error {
	c.lines = client.LogLines{First: c.number, Lines: []string{}, Offset: c.offset}
	buf := make([]byte, streamBlock)
	size := 0
	for c.pos < end && size < partBytes {
		n, err := r.Read(buf[:min(int64(len(buf)), end-c.pos, int64(partBytes-size))])
		size += n
		for p := buf[:n]; len(p) > 0; {
			var ended bool
			if p, ended = c.take(p); ended {
				c.give(&c.lines)
			}
		}
		if err == io.EOF && c.pos < end {
			return io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// part is the event of what was read, with the line that is open as far as it is known.
func (c *partCutter) part(place logPlace) feedPart {
	from, to, line := c.lines.Offset, c.offset, c.number
	l := c.lines
	l.Job, l.Attempt, l.Next, l.Bytes, l.Total = place.job, place.attempt, to, c.pos, c.number-1
	if c.size > 0 {
		open := c.splitter
		open.give(&l)
		l.Open, l.Total = true, c.number
	}
	return feedPart{from: from, to: to, line: line, text: logEvent("lines", to, l)}
}
