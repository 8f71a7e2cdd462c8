package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// Duration writes a time span as people say it: "0.3 s", "12.3 s", "2m 07s", "1h 02m", "3d 4h".
func Duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 59950*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour-500*time.Millisecond:
		s := int(d.Round(time.Second).Seconds())
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case d < 24*time.Hour-30*time.Second:
		m := int(d.Round(time.Minute).Minutes())
		return fmt.Sprintf("%dh %02dm", m/60, m%60)
	}
	h := int(d.Round(time.Hour).Hours())
	return fmt.Sprintf("%dd %dh", h/24, h%24)
}

// Seconds is Duration for the API's seconds.
func Seconds(s float64) string { return Duration(time.Duration(s * float64(time.Second))) }

// Size writes a number of bytes with a decimal unit: "999 B", "12 KB", "1.5 MB".
func Size(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", max(bytes, 0))
	}
	value, unit := float64(bytes)/1000, 0
	const units = "KMGTPE"
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	digits := 0
	if value < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + units[unit:unit+1] + "B"
}

// Ago writes how long before now a time was: "just now", "5 min ago", "3 h ago", "2 d ago". The zero time is "-".
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "-"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d d ago", int(d.Hours()/24))
}

// Count writes a number with thousands marked and a noun: "1 file", "4,812 files".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Number writes a number with thousands marked: "4,812".
func Number(n int) string {
	if n < 0 {
		return "-" + Number(-n)
	}
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
