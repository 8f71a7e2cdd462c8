package parse

import (
	"strconv"
	"strings"

	"github.com/runner-ci/runner/tests"
)

func (t *tap) point(m []string, depth int) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.deepen(depth)
	if err := t.closeTo(depth); err != nil {
		return err
	}
	level := &t.levels[depth]
	level.points++
	c := t.newCase(m, depth)
	inner, innerFailed := level.inner, level.innerFailed
	level.inner, level.innerFailed, level.next = 0, 0, ""
	level.failed += innerFailed
	if inner > 0 && (!c.Status.Bad() || innerFailed > 0) {
		return nil // it stands for its group, whose points are the cases
	}
	t.points++
	if c.Status.Bad() {
		level.failed++
	}
	t.c = c
	t.notes.reset(tests.MaxDetails)
	return nil
}

// newCase is the case of a test point.
func (t *tap) newCase(m []string, depth int) *tests.Case {
	description, reason := directive(m[3])
	c := &tests.Case{Name: description, File: t.file, Status: tests.Succeeded}
	if m[1] != "" {
		c.Status = tests.Failed
	}
	if what := strings.ToUpper(cutWord(reason)); what == "SKIP" || what == "TODO" && m[1] != "" {
		c.Status = tests.Skipped
		c.Message = strings.TrimSpace(reason[len(what):])
	}
	if c.Name == "" {
		c.Name = "test " + strconv.Itoa(t.levels[depth].points)
	}
	var groups []string
	for _, l := range t.levels[1 : depth+1] {
		if l.name != "" {
			groups = append(groups, l.name)
		}
	}
	c.Class = strings.Join(groups, " > ")
	c.Suite = c.Class
	c.ID = tests.Identify(c) // before a YAML block tells of a file, which it does of failures only
	return c
}

// directive cuts a description before its directive: "name # SKIP why" is "name" and "SKIP why". A hash that is
// escaped, or before another word, belongs to the name.
func directive(text string) (description, reason string) {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '#')
		if i < 0 {
			return unescapeTAP(text), ""
		}
		i += at
		rest := strings.TrimSpace(text[i+1:])
		word := strings.ToUpper(cutWord(rest))
		if (i == 0 || text[i-1] != '\\') && (word == "SKIP" || word == "TODO" || strings.HasPrefix(word, "SKIP")) {
			return unescapeTAP(strings.TrimSpace(text[:i])), word[:4] + strings.TrimPrefix(rest[len(word):], ":")
		}
		at = i + 1
	}
}

// cutWord is the letters at the beginning of a text.
func cutWord(text string) string {
	for i := 0; i < len(text); i++ {
		if c := text[i] | 0x20; c < 'a' || c > 'z' {
			return text[:i]
		}
	}
	return text
}

var tapEscapes = strings.NewReplacer(`\\`, `\`, `\#`, `#`)

func unescapeTAP(text string) string { return strings.TrimSpace(tapEscapes.Replace(text)) }

// tapYAML is an open YAML block.
type tapYAML struct {
	open   bool
	indent int
	key    string // whose text follows on deeper lines
	stack  strings.Builder
}

// yamlLine takes a line of a YAML block. Only the keys that tools write at the top are looked at; all of it is kept
// for the details. It returns false for a line that is not the block's: the block was not closed.
func (t *tap) yamlLine(text string, indent int) bool {
	y := &t.yaml
	body := strings.TrimSpace(text)
	switch {
	case body == "..." && indent <= y.indent:
		y.open = false
		t.endYAML()
		return true
	case body != "" && indent < y.indent:
		y.open = false
		t.endYAML()
		return false
	case t.c == nil:
		return true
	}
	line := text[min(len(text), y.indent):]
	t.notes.add([]byte(line + "\n"))
	if indent > y.indent || body == "" {
		y.deeper(t.c, body)
		return true
	}
	key, value, _ := strings.Cut(body, ":")
	y.key = key
	value = strings.Trim(strings.TrimSpace(value), `'"`)
	switch key {
	case "duration_ms":
		t.c.Duration = milliseconds(value)
	case "location":
		t.place(value)
	case "message", "error":
		if !strings.HasPrefix(value, "|") && !strings.HasPrefix(value, ">") && value != "" {
			t.c.Message = value
		}
	}
	return true
}

// deeper takes a line of a text that a key began.
func (y *tapYAML) deeper(c *tests.Case, body string) {
	switch y.key {
	case "message", "error":
		if c.Message == "" {
			c.Message = body
		}
	case "stack":
		if y.stack.Len() < tests.MaxDetails {
			y.stack.WriteString(body + "\n")
		}
	}
}

// place reads "file:line:column", as node writes it.
func (t *tap) place(value string) {
	parts := strings.Split(value, ":")
	if n := len(parts); n >= 3 {
		t.c.File = tests.SourcePath(t.in.root, strings.Join(parts[:n-2], ":"))
		t.c.Line, _ = strconv.Atoi(parts[n-2])
	}
}

func (t *tap) endYAML() {
	if t.c != nil && t.yaml.stack.Len() > 0 {
		t.c.Details = strings.TrimSpace(t.yaml.stack.String())
	}
}

// flush hands out the last point, with the comments that followed it.
func (t *tap) flush() error {
	c := t.c
	if c == nil {
		return nil
	}
	t.endYAML()
	t.c, t.yaml = nil, tapYAML{}
	if c.Status.Bad() {
		notes := strings.Trim(t.notes.string(), "\n")
		if c.Details == "" {
			c.Details = notes
		}
		if c.Message == "" {
			c.Message = firstLine(notes)
		}
	} else if c.Status == tests.Succeeded {
		c.Message, c.Details = "", ""
	}
	return t.in.emit(c)
}
