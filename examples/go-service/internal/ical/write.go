// Package ical writes and reads the part of iCalendar (RFC 5545) that calendars need to subscribe to a room.
package ical

import (
	"bufio"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is one VEVENT.
type Event struct {
	UID         string
	Summary     string
	Description string
	Location    string
	Start, End  time.Time
}

const (
	stamp   = "20060102T150405Z"
	maxLine = 75 // bytes, without the line end
)

var escaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// Write writes a calendar of the events. Lines end in CRLF and are folded at 75 bytes, never within a character.
func Write(w io.Writer, product string, events []Event) error {
	out := bufio.NewWriter(w)
	line := func(name, value string) { fold(out, name+":"+value) }
	text := func(name, value string) {
		if value != "" {
			line(name, escaper.Replace(value))
		}
	}
	line("BEGIN", "VCALENDAR")
	line("VERSION", "2.0")
	text("PRODID", product)
	for _, e := range events {
		line("BEGIN", "VEVENT")
		text("UID", e.UID)
		line("DTSTAMP", e.Start.UTC().Format(stamp))
		line("DTSTART", e.Start.UTC().Format(stamp))
		line("DTEND", e.End.UTC().Format(stamp))
		text("SUMMARY", e.Summary)
		text("DESCRIPTION", e.Description)
		text("LOCATION", e.Location)
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return out.Flush()
}

// fold writes one content line in pieces. bufio.Writer keeps the first error for Flush.
func fold(out *bufio.Writer, line string) {
	room := maxLine
	for len(line) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		if cut == 0 {
			cut = room // no character begins here: the text is not UTF-8
		}
		out.WriteString(line[:cut] + "\r\n ")
		line, room = line[cut:], maxLine-1
	}
	out.WriteString(line + "\r\n")
}
