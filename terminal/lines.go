package terminal

import "bytes"

// maxLine is where a line without end is cut when lines must be kept whole, in bytes. Nothing is lost: the rest
// follows as the next line.
const maxLine = 64 << 10

// lineBuffer turns pieces of text into whole lines.
type lineBuffer struct{ rest []byte }

// add takes a piece and calls each with every line that is complete, without its end.
func (l *lineBuffer) add(text []byte, each func(line []byte)) {
	for len(text) > 0 {
		line, after, ended := bytes.Cut(text, []byte("\n"))
		if room := maxLine - len(l.rest); len(line) > room {
			line, after, ended = text[:room], text[room:], true
		}
		if !ended {
			l.rest = append(l.rest, line...)
			return
		}
		if len(l.rest) > 0 {
			line = append(l.rest, line...)
			l.rest = nil
		}
		each(line)
		text = after
	}
}

// flush calls each with a last line that was not ended.
func (l *lineBuffer) flush(each func(line []byte)) {
	if len(l.rest) > 0 {
		each(l.rest)
		l.rest = nil
	}
}

// tail keeps the last lines of a log.
type tail struct{ lines []string }

// tailLines is how much of a failed job's log is shown without being asked for: a stack trace, not a story.
const tailLines = 20

func (t *tail) add(line string) {
	if len(t.lines) == tailLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line)
}
