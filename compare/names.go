package compare

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// idAt is a name that a machine chose: an address in memory, a UUID, or hexadecimal digits, at least seven, with digits and
// letters among them.
func idAt(s []byte, i int) int {
	if byteAt(s, i) == '0' && byteAt(s, i+1)|0x20 == 'x' {
		if n := run(s, i+2, hex); n > 0 {
			return whole(s, i, 2+n)
		}
	}
	n := run(s, i, hex)
	if n == 8 {
		if count := uuidAt(s, i); count > 0 {
			return count
		}
	}
	if n < minID || whole(s, i, n) == 0 {
		return 0
	}
	digits, letters := false, false
	for _, c := range s[i : i+n] {
		digits, letters = digits || digit(c), letters || letter(c)
	}
	if !digits || !letters {
		return 0
	}
	return n
}

// minID is the length of the shortest id: that to which git shortens those of commits.
const minID = 7

func uuidAt(s []byte, i int) int {
	n := 8
	for _, part := range []int{4, 4, 4, 12} {
		if byteAt(s, i+n) != '-' || run(s, i+n+1, hex) != part {
			return 0
		}
		n += 1 + part
	}
	return whole(s, i, n)
}

// addressAt is an IPv4 address of a network within a machine or a site: those of containers are given out anew each time.
func addressAt(s []byte, i int) int {
	n := 0
	for part := range 4 {
		digits := digitsAt(s, i+n)
		if digits == 0 || digits > 3 {
			return 0
		}
		if n += digits; part < 3 {
			if byteAt(s, i+n) != '.' {
				return 0
			}
			n++
		}
	}
	text := s[i : i+n]
	if bytes.HasPrefix(text, []byte("172.")) || bytes.HasPrefix(text, []byte("10.")) || bytes.HasPrefix(text, []byte("192.168.")) {
		return whole(s, i, n)
	}
	return 0
}

// minPort is the lowest port that counts as one which the system chose. Lower ones were meant.
const minPort = 10_000

// portAt is a high port behind an address or alone, with its colon. Behind a file's name it would be a line.
func portAt(s []byte, i int) int {
	before := byteAt(s, i-1)
	if !(i == 0 || before == ' ' || before == ']' || digit(before) || bytes.HasSuffix(s[:i], []byte("localhost"))) {
		return 0
	}
	n := digitsAt(s, i+1)
	if n != 5 || whole(s, i, 1+n) == 0 {
		return 0
	}
	if port, err := strconv.Atoi(string(s[i+1 : i+1+n])); err != nil || port < minPort || port > 65535 {
		return 0
	}
	return 1 + n
}

// temporary are the directories in which programs make files under names of their own.
var temporary = [][]byte{[]byte("/tmp/"), []byte("/var/tmp/"), []byte("/private/tmp/"), []byte("/dev/shm/")}

// tempAt is a path up to the name of a temporary file or directory; what lies below that is kept.
func tempAt(s []byte, i int) int {
	if before := byteAt(s, i-1); wordByte(before) || before == '.' || before == '-' || before == '/' {
		return 0
	}
	for _, dir := range temporary {
		if bytes.HasPrefix(s[i:], dir) {
			if n := run(s, i+len(dir), inName); n > 0 {
				return len(dir) + n
			}
		}
	}
	if bytes.HasPrefix(s[i:], []byte("/var/folders/")) { // of macOS: /var/folders/ab/cdef/T/name
		n := len("/var/folders/")
		for range 4 {
			part := run(s, i+n, inName)
			if n += part; byteAt(s, i+n) != '/' {
				break
			}
			n++
		}
		if byteAt(s, i+n-1) == '/' {
			n--
		}
		return n
	}
	return 0
}

// inName tells of a byte that it belongs to the name of a file, as it stands in sentences.
func inName(c byte) bool {
	return wordByte(c) || c == '.' || c == '-' || c == '+' || c == '@' || c >= 0x80
}

// percentAt is how far a run of tests has come, in brackets: "[ 45%]", "(100%)".
func percentAt(s []byte, i int) int {
	n := 1 + run(s, i+1, isSpace)
	count, _ := decimalAt(s, i+n)
	if count == 0 || byteAt(s, i+n+count) != '%' {
		return 0
	}
	n += count + 1
	if c := byteAt(s, i+n); c != ']' && c != ')' {
		return 0
	}
	return n + 1
}

// composePrefix is the name of a container before its line, and what it becomes: "web-1  | " is "web | ".
func composePrefix(s []byte) (count int, word string) {
	name := run(s, 0, func(c byte) bool { return wordByte(c) || c == '-' || c == '.' })
	bar := name + run(s, name, isSpace)
	if name == 0 || bar == name || byteAt(s, bar) != '|' {
		return 0, ""
	}
	end := name
	for end > 0 && digit(s[end-1]) {
		end--
	}
	if end == name || end < 2 || s[end-1] != '-' && s[end-1] != '_' {
		return 0, ""
	}
	return bar + 1, string(s[:end-1]) + " |"
}

// minBar is the length in runes of the shortest bar of progress.
const minBar = 6

// barRunes are what bars are drawn with; fullRunes are those among them without which there is none: dots and blanks are in
// many lines.
const (
	barRunes  = "=#>█▓▒░▏▎▍▌▋▊▉━╸╺╾╼─-. *"
	fullRunes = "=#>█▓▒░▏▎▍▌▋▊▉━╸╺╾╼"
)

// barIn tells whether a line has a bar of progress: within brackets, or drawn with blocks.
func barIn(s []byte) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '[' && c != '|' && c < 0x80 {
			i++
			continue
		}
		looked, bar := scanBar(s, i)
		if bar > 0 {
			return true
		}
		i += max(looked, 1) // no byte is looked at twice
	}
	return false
}

// barAt is a bar of progress with its brackets.
func barAt(s []byte, i int) int {
	_, bar := scanBar(s, i)
	return bar
}

// scanBar says how many bytes from i on it looked at, and how many of them are a bar: all, or none.
func scanBar(s []byte, i int) (looked, bar int) {
	closing := byte(0)
	switch s[i] {
	case ' ', '.', '-', '*':
		return 1, 0 // without brackets it begins with what it is drawn with
	case '[':
		closing, looked = ']', 1
	case '|':
		closing, looked = '|', 1
	}
	runes, full, blocks := 0, 0, 0
	for i+looked < len(s) {
		r, size := utf8.DecodeRune(s[i+looked:])
		if r == utf8.RuneError || !strings.ContainsRune(barRunes, r) {
			break
		}
		if strings.ContainsRune(fullRunes, r) {
			full++
			blocks += min(size-1, 1)
		}
		looked, runes = looked+size, runes+1
	}
	switch {
	case closing != 0 && byteAt(s, i+looked) == closing && runes >= minBar && full > 0:
		return looked, looked + 1
	case closing == 0 && blocks >= minBar:
		return looked, looked
	}
	return looked, 0
}
