package ical

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func write(t *testing.T, events []Event) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, "-//rooms//EN", events); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	got := write(t, []Event{{UID: "b1", Summary: "Plan, review; ship", Location: "Oak", Start: nine, End: nine.Add(time.Hour)}})
	want := strings.Join([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rooms//EN", "BEGIN:VEVENT", "UID:b1", "DTSTAMP:20260302T090000Z",
		"DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", `SUMMARY:Plan\, review\; ship`, "LOCATION:Oak",
		"END:VEVENT", "END:VCALENDAR", "",
	}, "\r\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRoundTrip writes events with every nasty text and reads them back.
func TestRoundTrip(t *testing.T) {
	letters := []string{"a", "é", "漢", "🙂", ",", ";", `\`, "\n", " ", ":", `"`, "N", "n"}
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range random.IntN(300) {
			b.WriteString(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	for round := range 200 {
		var events []Event
		for i := range 1 + random.IntN(20) {
			start := nine.Add(time.Duration(random.IntN(1e6)) * time.Second)
			events = append(events, Event{UID: fmt.Sprint("b", i), Summary: text(), Description: text(), Start: start, End: start.Add(time.Hour)})
		}
		out := write(t, events)
		for _, line := range strings.Split(out, "\r\n") {
			if len(line) > maxLine {
				t.Fatalf("round %d: a line of %d bytes", round, len(line))
			}
		}
		got, err := Read(strings.NewReader(out))
		if err != nil || !reflect.DeepEqual(got, events) {
			t.Fatalf("round %d: %v: %d events came back, want %d:\n%s", round, err, len(got), len(events), out)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"half an event": "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n",
		"no colon":      "BEGIN:VCALENDAR\r\nnonsense\r\n",
		"a wrong date":  "BEGIN:VEVENT\r\nDTSTART:yesterday\r\nEND:VEVENT\r\n",
	} {
		if events, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s was read as %v", name, events)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("BEGIN:VEVENT\r\nSUMMARY;LANGUAGE=en:x\\\\n\r\n y\r\nEND:VEVENT\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		events, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := Read(strings.NewReader(write(t, events))); err != nil {
			t.Error(err)
		}
	})
}
