package compare

import (
	"bytes"

	"github.com/charmbracelet/x/ansi"
)

// What stands in a normal line for what differs from run to run.
const (
	aTime     = "<time>"
	aDuration = "<duration>"
	anID      = "<id>"
	anAddress = "<address>"
	aPort     = "<port>"
	aRate     = "<rate>"
	aNumber   = "<n>"
	aTemp     = "<tmp>"
	aPercent  = "<percent>"
	aProgress = "<progress>"
)

// Normal appends a line to dst without what differs from run to run: colours, what a carriage return wrote over, times,
// durations, rates, ids, addresses, high ports, names of temporary files, bars of progress, numbers of processes, and the
// numbers of the containers that lines come from. A line without any of that is appended as it is, but for white space at its
// end.
func Normal(dst, line []byte) []byte {
	line = bytes.TrimRight(Shown(line), " \t")
	if text, own := ownText(line); own && countsCommands(text) {
		name, _, _ := bytes.Cut(text, []byte(":"))
		return append(append(append(dst, ownMark+aTime+" "...), name...), ": "+aNumber...)
	}
	n := normalizer{out: dst, line: line, bar: barIn(line)}
	n.prefix()
	for n.at < len(line) {
		n.step()
	}
	return n.out
}

// Shown is a line as a terminal would leave it: without escape sequences, and after what carriage returns wrote over. It may
// share the line's memory.
func Shown(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	if i := bytes.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	if bytes.IndexByte(line, 0x1b) >= 0 {
		line = bytes.ReplaceAll([]byte(ansi.Strip(string(line))), []byte{0x1b}, nil) // it leaves some that are broken
	}
	return line
}

// ownMark begins the lines of the agent, which then have a time.
const ownMark = "[Container] "

// ownText is what the agent says in a line of its own.
func ownText(line []byte) (text []byte, own bool) {
	rest, own := bytes.CutPrefix(line, []byte(ownMark))
	if !own {
		return nil, false
	}
	n := 0
	if form(rest, 0, "0000/00/00 ") {
		n = timeAt(rest, 0)
	}
	if n == 0 || !spaceAt(rest, n) {
		return nil, false
	}
	return rest[n+1:], true
}

// countsCommands tells of a line of the agent that it says how many commands a phase has, or how many phases there are: what
// the job does is compared elsewhere.
func countsCommands(text []byte) bool {
	return bytes.HasPrefix(text, []byte("Phases found in YAML: ")) ||
		bytes.HasPrefix(text, []byte(" ")) && bytes.HasSuffix(text, []byte(" commands"))
}

// isProgress tells of a normal line that it is one state of a bar.
func isProgress(normal []byte) bool { return bytes.Contains(normal, []byte(aProgress)) }

// normalizer goes through one line.
type normalizer struct {
	out  []byte
	line []byte
	at   int
	bar  bool // the line is a state of a bar: its numbers say nothing

	label int // where a word ended after which a number is a name: 0 for none
}

// put takes n bytes of the line and leaves a word in their place.
func (n *normalizer) put(count int, word string) {
	n.out = append(n.out, word...)
	n.at += count
}

// take passes count bytes on as they are.
func (n *normalizer) take(count int) {
	n.out = append(n.out, n.line[n.at:n.at+count]...)
	n.at += count
}

// prefix takes what stands before the line of a container: "web-1  | " of compose, "#12 0.345 " of a build of an image.
func (n *normalizer) prefix() {
	if count, word := composePrefix(n.line); count > 0 {
		n.put(count, word)
		return
	}
	if len(n.line) == 0 || n.line[0] != '#' {
		return
	}
	digits := digitsAt(n.line, 1)
	if digits == 0 || !spaceAt(n.line, 1+digits) {
		return
	}
	n.put(1+digits, "#"+aNumber)
	n.take(1)
	if count, fraction := decimalAt(n.line, n.at); fraction && spaceAt(n.line, n.at+count) {
		n.put(count, aDuration)
	}
}

// step takes one token, one word or one other byte.
func (n *normalizer) step() {
	rest := n.line[n.at:]
	if wordByte(rest[0]) {
		if count, word := n.token(); count > 0 {
			n.put(count, word)
			return
		}
		count := wordAt(n.line, n.at)
		if labels[string(rest[:min(count, maxLabel)])] {
			n.label = n.at + count
		}
		n.take(count)
		return
	}
	if count, word := n.mark(); count > 0 {
		n.put(count, word)
		return
	}
	n.take(1)
}

// labels are words after which a number is the name of something that is new in each run.
var labels = map[string]bool{
	"pid": true, "PID": true, "process": true, "goroutine": true, "thread": true, "seed": true, "Seed": true, "shuffle": true,
}

// maxLabel is longer than any label.
const maxLabel = 12

// token recognizes what differs from run to run where a word begins.
func (n *normalizer) token() (count int, word string) {
	c := n.line[n.at]
	if c >= 'A' && c <= 'Z' {
		if count := namedDateAt(n.line, n.at); count > 0 {
			return count, aTime
		}
	}
	if count := idAt(n.line, n.at); count > 0 {
		return count, anID
	}
	if c < '0' || c > '9' {
		return 0, ""
	}
	if count := addressAt(n.line, n.at); count > 0 {
		return count, anAddress
	}
	if count := timeAt(n.line, n.at); count > 0 {
		return count, aTime
	}
	if count := rateAt(n.line, n.at); count > 0 {
		return count, aRate
	}
	if count := durationAt(n.line, n.at); count > 0 {
		return count, aDuration
	}
	if n.bar || n.label > 0 && n.at-n.label <= 2 && n.at > n.label {
		count, _ := decimalAt(n.line, n.at)
		if n.bar { // with its unit
			count += wordAt(n.line, n.at+count)
		}
		return count, aNumber
	}
	return 0, ""
}

// mark recognizes what begins with another byte than one of a word.
func (n *normalizer) mark() (count int, word string) {
	switch n.line[n.at] {
	case ':':
		return portAt(n.line, n.at), ":" + aPort
	case '/':
		return tempAt(n.line, n.at), "/tmp/" + aTemp
	case '[', '(':
		if count := percentAt(n.line, n.at); count > 0 {
			return count, aPercent
		}
		if bytes.HasPrefix(n.line[n.at:], []byte("(cached)")) {
			return len("(cached)"), aDuration // of a Go test that did not run again
		}
	}
	if n.bar {
		return barAt(n.line, n.at), aProgress
	}
	return 0, ""
}
