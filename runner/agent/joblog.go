//go:build linux

package agent

import (
	"fmt"
	"sync"
	"time"

	"github.com/runner-ci/runner/runner/agent/mask"
	"github.com/runner-ci/runner/runner/wire"
)

// joblog is the job's log: what commands print, and the agent's own lines in CodeBuild's form. Both count towards
// the limit. Past it output is dropped, while the agent's lines still have a reserve.
type joblog struct {
	spool  *spool
	masker *mask.Masker
	limit  int64 // bytes; 0 is none

	mu      sync.Mutex
	spent   int64
	cut     bool
	midLine bool // the last byte of output was no newline
	printed printed
}

// logReserve is for the agent's own lines after the limit was reached. With it the log's part of the spool never
// exceeds 4/3 (base64) of limit + logReserve.
const logReserve = 256 << 10

// output appends what commands printed. It is masked already.
func (l *joblog) output(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.printed.add(data)
	for len(data) > 0 && !l.cut {
		n := min(len(data), wire.MaxLogData)
		if l.limit > 0 {
			n = int(min(int64(n), l.limit-l.spent))
		}
		if n <= 0 {
			l.cut = true
			l.line(fmt.Sprintf("Log limit of %d bytes reached: what commands print from here on is dropped, the build goes on", l.limit))
			return
		}
		l.append(data[:n])
		data = data[n:]
	}
}

// say appends one of the agent's own lines.
func (l *joblog) say(format string, args ...any) {
	text := l.masker.String(fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(text)
}

func (l *joblog) line(text string) {
	if l.limit > 0 && l.spent > l.limit+logReserve {
		return
	}
	line := make([]byte, 0, len(text)+48)
	if l.midLine {
		line = append(line, '\n')
	}
	line = append(line, "[Container] "...)
	line = time.Now().UTC().AppendFormat(line, "2006/01/02 15:04:05.000000 ")
	line = append(line, text...)
	line = append(line, '\n')
	for len(line) > 0 {
		n := min(len(line), wire.MaxLogData)
		l.append(line[:n])
		line = line[n:]
	}
}

// append writes one frame and charges it: its text, or what base64 leaves of its room in the spool when it is so
// short that the frame around it counts.
func (l *joblog) append(data []byte) {
	l.midLine = data[len(data)-1] != '\n'
	room := l.spool.addLog(data)
	l.spent += max(int64(len(data)), int64(room)*3/4)
}
