//go:build linux

package agent

// maxPrinted is how much of what a command printed last is remembered.
const maxPrinted = 16 << 10

// printed is the end of what a command printed, masked. It goes on where the log's limit has cut the log.
type printed struct{ text []byte }

func (p *printed) add(data []byte) {
	data = data[max(0, len(data)-maxPrinted):]
	if over := len(p.text) + len(data) - maxPrinted; over > 0 {
		p.text = p.text[:copy(p.text, p.text[over:])]
	}
	p.text = append(p.text, data...)
}

// forgetPrinted begins another command.
func (l *joblog) forgetPrinted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.printed.text = l.printed.text[:0]
}

// lastPrinted returns the end of what the command printed.
func (l *joblog) lastPrinted() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.printed.text)
}
