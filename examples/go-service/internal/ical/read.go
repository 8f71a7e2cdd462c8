package ical

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrFormat is wrapped by every error of Read about the text itself.
var ErrFormat = errors.New("bad iCalendar text")

const maxText = 8 << 20

var unescaper = strings.NewReplacer(`\\`, `\`, `\;`, ";", `\,`, ",", `\n`, "\n", `\N`, "\n")

// Read returns the events of a calendar. Properties and parameters that Event has no place for are skipped.
func Read(r io.Reader) ([]Event, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrFormat, maxText)
	}
	unfolded := strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(string(text))
	var events []Event
	var current *Event
	for number, line := range strings.Split(unfolded, "\n") {
		line = strings.TrimSuffix(line, "\r")
		name, value, found := strings.Cut(line, ":")
		if !found {
			if strings.TrimSpace(line) != "" {
				return nil, fmt.Errorf("%w: line %d has no colon", ErrFormat, number+1)
			}
			continue
		}
		name, _, _ = strings.Cut(strings.ToUpper(name), ";")
		switch {
		case name == "BEGIN" && value == "VEVENT":
			current = &Event{}
		case name == "END" && value == "VEVENT" && current != nil:
			events, current = append(events, *current), nil
		case current != nil:
			if err := current.set(name, value); err != nil {
				return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, number+1, err)
			}
		}
	}
	if current != nil {
		return nil, fmt.Errorf("%w: it ends within a VEVENT", ErrFormat)
	}
	return events, nil
}

func (e *Event) set(name, value string) (err error) {
	switch name {
	case "UID":
		e.UID = unescaper.Replace(value)
	case "SUMMARY":
		e.Summary = unescaper.Replace(value)
	case "DESCRIPTION":
		e.Description = unescaper.Replace(value)
	case "LOCATION":
		e.Location = unescaper.Replace(value)
	case "DTSTART":
		e.Start, err = time.Parse(stamp, value)
	case "DTEND":
		e.End, err = time.Parse(stamp, value)
	}
	return err
}
