package tests

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxID bounds an id, in bytes. A longer one keeps its beginning and ends in a digest of the whole.
const maxID = 512

// address is a place in memory, which a test's name has when it shows an object: "test[<T object at 0x7f3a…>]".
var address = regexp.MustCompile(`\b0x[0-9a-fA-F]{6,16}\b`)

// Identify is the id of a case: its source file where that is known and relative, its class (its suite where it has
// none) and its name, joined by "::". White space is one space, colours and control characters are dropped, addresses
// of objects become "0x…", so that the same test has the same id in each run. The line is left out: it moves.
func Identify(c *Case) string {
	group := c.Class
	if group == "" {
		group = c.Suite
	}
	var parts []string
	if file := c.File; file != "" && !absolute(file) {
		parts = append(parts, file)
	}
	if group != "" && (len(parts) == 0 || group != parts[0]) {
		parts = append(parts, group)
	}
	id := plain(strings.Join(append(parts, c.Name), "::"))
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return Cut(id, maxID-20) + "~" + hex.EncodeToString(sum[:8])
}

// plain removes from a name what differs between runs or cannot be seen.
func plain(text string) string {
	simple := true
	for i := 0; i < len(text) && simple; i++ {
		b := text[i]
		simple = b > ' ' && b < 0x7f || b == ' ' && i > 0 && i+1 < len(text) && text[i-1] != ' '
	}
	if !simple {
		text = stripColours(strings.ToValidUTF8(text, "\uFFFD"))
		text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r)
		}), " ")
	}
	if strings.Contains(text, "0x") {
		text = address.ReplaceAllString(text, "0x…")
	}
	return text
}

// colour is an ECMA-48 control sequence, as tools print for colours.
var colour = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func stripColours(text string) string {
	if strings.IndexByte(text, 0x1b) < 0 {
		return text
	}
	return colour.ReplaceAllString(text, "")
}

// Cut shortens a text to at most size bytes, at the border of a character.
func Cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}

// SourcePath is a path as a report gives it, with slashes, cleaned, and relative to root if it lies below. Root may be
// empty; a path outside it stays absolute.
func SourcePath(root, name string) string {
	if name == "" {
		return ""
	}
	name = path.Clean(strings.ReplaceAll(strings.TrimPrefix(name, "file://"), `\`, "/"))
	if root == "" {
		return name
	}
	root = path.Clean(strings.ReplaceAll(root, `\`, "/"))
	if below, ok := strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/"); ok {
		return below
	}
	return name
}

// absolute tells whether a path with slashes starts at a root, of Windows too.
func absolute(name string) bool {
	return strings.HasPrefix(name, "/") || len(name) > 2 && name[1] == ':' && name[2] == '/'
}
