package compare

import (
	"bytes"
	"strings"
)

// The functions of this file say how many bytes of a line, from a place on, are something that differs from run to run; 0
// where they are not.

func digit(c byte) bool    { return c >= '0' && c <= '9' }
func hex(c byte) bool      { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
func letter(c byte) bool   { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func wordByte(c byte) bool { return digit(c) || letter(c) || c == '_' }

func byteAt(s []byte, i int) byte {
	if i < 0 || i >= len(s) {
		return 0
	}
	return s[i]
}

func spaceAt(s []byte, i int) bool { return byteAt(s, i) == ' ' }

// run counts the bytes from i on that satisfy is.
func run(s []byte, i int, is func(byte) bool) int {
	n := 0
	for i+n < len(s) && is(s[i+n]) {
		n++
	}
	return n
}

func digitsAt(s []byte, i int) int { return run(s, i, digit) }
func wordAt(s []byte, i int) int   { return run(s, i, wordByte) }

// whole is count where no word goes on behind it, else 0.
func whole(s []byte, i, count int) int {
	if count > 0 && wordByte(byteAt(s, i+count)) {
		return 0
	}
	return count
}

// decimalAt is a number, perhaps with a fraction.
func decimalAt(s []byte, i int) (count int, fraction bool) {
	count = digitsAt(s, i)
	if count > 0 && byteAt(s, i+count) == '.' {
		if n := digitsAt(s, i+count+1); n > 0 {
			return count + 1 + n, true
		}
	}
	return count, false
}

// form matches digits and separators: '0' stands for a digit, any other byte for itself.
func form(s []byte, i int, pattern string) bool {
	for k := range len(pattern) {
		c := byteAt(s, i+k)
		if pattern[k] == '0' && !digit(c) || pattern[k] != '0' && pattern[k] != c {
			return false
		}
	}
	return true
}

// clockAt is a time of day: "6:25:20", "06:25:20.123", "06:25:20,123Z", "06:25:20+02:00".
func clockAt(s []byte, i int) int {
	n := digitsAt(s, i)
	if n == 0 || n > 2 || !form(s, i+n, ":00:00") {
		return 0
	}
	n += len(":00:00")
	if c := byteAt(s, i+n); c == '.' || c == ',' {
		if f := digitsAt(s, i+n+1); f > 0 {
			n += 1 + f
		}
	}
	return whole(s, i, n+zoneAt(s, i+n))
}

// zoneAt is what may follow a time of day: "Z", "+0200", " +02:00".
func zoneAt(s []byte, i int) int {
	if byteAt(s, i) == 'Z' {
		return 1
	}
	space := 0
	if spaceAt(s, i) {
		space = 1
	}
	if c := byteAt(s, i+space); c == '+' || c == '-' {
		switch {
		case form(s, i+space+1, "00:00"):
			return space + 6
		case form(s, i+space+1, "0000") && !digit(byteAt(s, i+space+5)):
			return space + 5
		}
	}
	return 0
}

// timeAt is a date, a time of day, both, or the seconds since 1970, with or without thousandths and less.
func timeAt(s []byte, i int) int {
	for _, date := range []string{"0000-00-00", "0000/00/00"} {
		if form(s, i, date) {
			return whole(s, i, withClock(s, i, len(date)))
		}
	}
	if n := digitsAt(s, i); n <= 2 && byteAt(s, i+n) == '/' && monthAt(s, i+n+1) && form(s, i+n+4, "/0000:") { // of a web server
		if clock := clockAt(s, i+n+10); clock > 0 {
			return n + 10 + clock
		}
	}
	if n := digitsAt(s, i); s[i] == '1' && (n == 10 || n == 13 || n == 16 || n == 19) {
		return whole(s, i, n)
	}
	return clockAt(s, i)
}

// withClock adds the time of day that follows a date of n bytes.
func withClock(s []byte, i, n int) int {
	if c := byteAt(s, i+n); c == 'T' || c == ' ' || c == '_' {
		if clock := clockAt(s, i+n+1); clock > 0 {
			return n + 1 + clock
		}
	}
	return n
}

const (
	monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"
	dayNames   = "MonTueWedThuFriSatSun"
)

// named tells whether three bytes at i are one of the names that stand behind each other in names.
func named(s []byte, i int, names string) bool {
	if i+3 > len(s) || !letter(s[i]) {
		return false
	}
	at := strings.Index(names, string(s[i:i+3]))
	return at >= 0 && at%3 == 0
}

func monthAt(s []byte, i int) bool { return named(s, i, monthNames) }

// namedDateAt is a date that names its month, with a time of day: "Nov 26 06:25:20", "Thu Nov 26 06:25:20 UTC 2026", "Thu,
// 26 Nov 2026 06:25:20 GMT".
func namedDateAt(s []byte, i int) int {
	n := 0
	if named(s, i, dayNames) {
		if n = 3; byteAt(s, i+n) == ',' {
			n++
		}
		n += run(s, i+n, isSpace)
	}
	switch days := digitsAt(s, i+n); {
	case n > 0 && days > 0 && days <= 2 && spaceAt(s, i+n+days) && monthAt(s, i+n+days+1) && form(s, i+n+days+4, " 0000 "):
		n += days + len(" Jan 2006 ")
	case monthAt(s, i+n) && spaceAt(s, i+n+3):
		n += 3 + run(s, i+n+3, isSpace)
		if days = digitsAt(s, i+n); days == 0 || days > 2 || !spaceAt(s, i+n+days) {
			return 0
		}
		n += days + 1
	default:
		return 0
	}
	clock := clockAt(s, i+n)
	if clock == 0 {
		return 0
	}
	n += clock
	if zone := run(s, i+n+1, func(c byte) bool { return c >= 'A' && c <= 'Z' }); spaceAt(s, i+n) && zone >= 2 && zone <= 5 && !wordByte(byteAt(s, i+n+1+zone)) {
		n += 1 + zone
	}
	if form(s, i+n, " 0000") && !wordByte(byteAt(s, i+n+5)) {
		n += 5
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' }

// units are those of time. Single letters but s follow their number at once, or "3 m" were a duration.
var units = map[string]bool{
	"ns": true, "us": true, "µs": true, "μs": true, "ms": true, "s": true, "m": true, "h": true,
	"sec": true, "secs": true, "second": true, "seconds": true, "min": true, "mins": true, "minute": true, "minutes": true,
	"hr": true, "hrs": true, "hour": true, "hours": true, "milliseconds": true,
}

// durationAt is a span of time: "0.3s", "12 ms", "1m2.5s", "2 minutes 3 seconds", "01:23 min".
func durationAt(s []byte, i int) int {
	n := 0
	for {
		from := i + n
		if n > 0 && spaceAt(s, from) {
			from++
		}
		count := partAt(s, from)
		if count == 0 || digit(byteAt(s, from+count)) && partAt(s, from+count) == 0 { // a name like 3s2
			return n
		}
		n = from + count - i
	}
}

// partAt is a number with its unit.
func partAt(s []byte, i int) int {
	count, _ := decimalAt(s, i)
	if count == 0 {
		return 0
	}
	if count <= 2 && form(s, i+count, ":00") && !digit(byteAt(s, i+count+3)) {
		count += 3
		if byteAt(s, i+count) != ' ' {
			return 0
		}
	}
	space := 0
	if spaceAt(s, i+count) {
		space = 1
	}
	// A unit ends where the next number begins, as in 1m2s.
	unit := run(s, i+count+space, func(c byte) bool { return letter(c) || c >= 0x80 })
	word := string(s[i+count+space : i+count+space+min(unit, maxLabel)])
	if !units[word] || space > 0 && (word == "m" || word == "h") || byteAt(s, i+count+space+unit) == '_' {
		return 0
	}
	return count + space + unit
}

// rateAt is an amount of data in a second: "3.4 MiB/s", "512kB/s".
func rateAt(s []byte, i int) int {
	count, _ := decimalAt(s, i)
	if spaceAt(s, i+count) {
		count++
	}
	if bytes.IndexByte([]byte("kKMGT"), byteAt(s, i+count)) >= 0 && byteAt(s, i+count) != 0 {
		count++
	}
	if byteAt(s, i+count) == 'i' {
		count++
	}
	if bytes.HasPrefix(s[min(i+count, len(s)):], []byte("B/s")) {
		return whole(s, i, count+3)
	}
	return 0
}
