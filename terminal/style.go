package terminal

import "strings"

// The statuses that the daemon reports, in CodeBuild's words.
const (
	inProgress = "IN_PROGRESS"
	succeeded  = "SUCCEEDED"
	failed     = "FAILED"
	fault      = "FAULT"
	timedOut   = "TIMED_OUT"
	stopped    = "STOPPED"
)

// Colours mean status and nothing else, so there are three, and a faint one for what is only context.
const (
	green  = "32"
	red    = "31"
	yellow = "33"
	faint  = "2"
	bold   = "1"
)

// paint colours a text where the output shows colours.
func (o *Output) paint(code, text string) string {
	if !o.color || text == "" || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// mark returns the shape of a status and its colour. Shapes differ, so that the colour is never needed.
func mark(status string) (shape, color string) {
	switch status {
	case succeeded:
		return "✓", green
	case failed, fault, timedOut:
		return "✗", red
	case stopped:
		return "■", yellow
	case inProgress:
		return "●", yellow
	}
	return "○", faint
}

// sign is the painted shape of a status.
func (o *Output) sign(status string) string {
	shape, color := mark(status)
	return o.paint(color, shape)
}

// oneLine makes a text of others fit to stand in a line of ours: control characters are gone, blanks stay single.
func oneLine(text string) string {
	return strings.Join(strings.Fields(plainText(text)), " ")
}

// plainText removes every escape sequence and control character but line ends and tabs, and what turns the direction of
// the text around it, by which a name could show as another one.
func plainText(text string) string {
	var b strings.Builder
	w := NewFilter(&b)
	w.colors = false
	_, _ = w.Write([]byte(text))
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, b.String())
}

// OneLine makes a text of others fit to be shown anywhere in a line: nothing in it acts on a terminal.
func OneLine(text string) string { return oneLine(text) }
