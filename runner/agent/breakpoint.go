//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// breakpoints holds what waits at codebuild-breakpoint. The tools speak with the agent over a socket in its home:
// "pause" holds the connection until the build goes on, "resume" lets all of them go. Who connects can do no more
// than that, so every process of the sandbox may.
type breakpoints struct {
	log      *joblog
	spool    *spool
	build    string // for people: "api#142"
	resume   string // path of codebuild-resume
	listener *os.File
	over     chan struct{}
	places   chan struct{} // one for each connection

	mu      sync.Mutex
	phase   string
	waiting map[*os.File]bool
	pauses  int // tools that ever waited
	number  int // of the newest pause, at which several tools may wait
	closed  bool
}

// maxPauses bounds how often a job may pause, and maxWaiting how many of its processes at once, so that it cannot
// fill the record with pauses.
const (
	maxPauses  = 1000
	maxWaiting = 64
	// maxConnections bounds what is connected at once, waiting or not.
	maxConnections = maxWaiting + 16
)

// openBreakpoints listens at path. Requests of the daemon come over resumes, with who asked.
func openBreakpoints(path string, b *breakpoints, resumes <-chan wire.Resume) (*breakpoints, error) {
	var err error
	if b.listener, err = listenUnix(path); err != nil {
		return nil, err
	}
	b.waiting, b.over, b.places = map[*os.File]bool{}, make(chan struct{}), make(chan struct{}, maxConnections)
	go b.listen()
	go func() {
		for {
			select {
			case r := <-resumes:
				b.release(r)
			case <-b.over:
				return
			}
		}
	}()
	return b, nil
}

// enter tells the phase in which a command may pause. Of no breakpoints nothing has to be known.
func (b *breakpoints) enter(phase string) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.phase = phase
	}
}

// close lets everything go and says no more.
func (b *breakpoints) close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.over)
	b.listener.Close()
	for conn := range b.waiting {
		conn.Close()
	}
}

func (b *breakpoints) listen() {
	for {
		conn, err := accept(b.listener)
		select {
		case <-b.over:
			if err == nil {
				conn.Close()
			}
			return
		default:
		}
		if err != nil { // no descriptor left, say
			time.Sleep(100 * time.Millisecond)
			continue
		}
		select {
		case b.places <- struct{}{}:
			go b.serve(conn)
		default:
			conn.Close()
		}
	}
}

// askLimit is what a tool has to say what it wants.
const askLimit = 5 * time.Second

// serve answers one connection.
func (b *breakpoints) serve(conn *os.File) {
	defer func() {
		conn.Close()
		<-b.places
	}()
	_ = conn.SetDeadline(time.Now().Add(askLimit))
	switch readLine(conn) {
	case askPause:
		if !b.pause(conn) {
			_, _ = conn.WriteString("ignored\n")
			return
		}
		_ = conn.SetDeadline(time.Time{})
		_ = readLine(conn) // until the tool is killed, or release closes its side
		b.gone(conn)
	case askResume:
		_, _ = fmt.Fprintf(conn, "%d\n", b.release(wire.Resume{By: "codebuild-resume"}))
	}
}

// pause makes the build wait for one more tool.
func (b *breakpoints) pause(conn *os.File) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.pauses >= maxPauses || len(b.waiting) >= maxWaiting {
		return false
	}
	b.pauses++
	b.waiting[conn] = true
	if len(b.waiting) > 1 {
		return true
	}
	b.number++
	host, _ := os.Hostname()
	b.log.say("The build waits at a breakpoint in %s, in the sandbox %s; its time limit goes on counting", b.phase, host)
	b.log.say("To go on, run %s there, or: runner resume %s", b.resume, b.build)
	// Last, so that whoever sees the build wait finds in its log how it goes on.
	b.spool.add(wire.Paused{Number: b.number, Phase: b.phase, At: time.Now().UnixNano()})
	return true
}

// release lets all waiting tools go, and returns how many there were. A request that was meant for another pause does
// nothing.
func (b *breakpoints) release(r wire.Resume) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.waiting)
	if n == 0 || b.closed || r.Pause != 0 && r.Pause != b.number {
		return 0
	}
	for conn := range b.waiting {
		_ = conn.SetDeadline(time.Now().Add(askLimit))
		_, _ = conn.WriteString("go\n")
		delete(b.waiting, conn)
	}
	if r.By == "" {
		r.By = "the daemon"
	}
	b.resumed("The build goes on after its breakpoint, resumed by " + r.By)
	return n
}

// gone forgets a tool that was killed while it waited.
func (b *breakpoints) gone(conn *os.File) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.waiting[conn] {
		return
	}
	delete(b.waiting, conn)
	if len(b.waiting) == 0 {
		b.resumed("The build no longer waits at its breakpoint: what waited there was ended")
	}
}

func (b *breakpoints) resumed(line string) {
	b.spool.add(wire.Resumed{Phase: b.phase, At: time.Now().UnixNano()})
	b.log.say("%s", line)
}

// holdAtBreakpoints listens for the tools of a job with a debug session, and returns where.
func (p *phases) holdAtBreakpoints(d dirs) string {
	if !p.job.Debug {
		return ""
	}
	path := filepath.Join(d.temp, breakpointFile)
	b := &breakpoints{log: p.log, spool: p.spool, build: buildOf(p.job.Attempt), resume: filepath.Join(d.bin, "codebuild-resume")}
	var err error
	if p.breaks, err = openBreakpoints(path, b, p.resumes); err != nil {
		p.log.say("codebuild-breakpoint will not hold the build: %v", err)
		return ""
	}
	return path
}

// buildOf is the build that an attempt belongs to: "api#142" of "api#142/build@1".
func buildOf(attempt string) string {
	if i := strings.LastIndexByte(attempt, '/'); i >= 0 {
		return attempt[:i]
	}
	return attempt
}
