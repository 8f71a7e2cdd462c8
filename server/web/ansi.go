package web

import (
	"html/template"
	"regexp"
	"strconv"
	"strings"
)

// sequence is what a terminal would act on, and a page must not: colours (the first group), and all else, of which nothing is
// shown: cursors, titles, links, bells. What log.js does is the same.
var sequence = regexp.MustCompile(`\x1b\[([\d;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f\x{80}-\x{9f}]`)

// own is how a line of the agent's begins.
var own = regexp.MustCompile(`^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} `)

// lastState is a line as it looks in the end: what came before a carriage return was written over.
func lastState(line string) string {
	line = strings.TrimRight(line, "\r")
	return line[strings.LastIndexByte(line, '\r')+1:]
}

// logText is a line of a log as HTML: its text, and its colours as classes.
func logText(line string) template.HTML {
	line = lastState(line)
	var out strings.Builder
	var now style
	put := func(text string) {
		if text == "" {
			return
		}
		if class := now.class(); class != "" {
			out.WriteString(`<span class="` + class + `">` + template.HTMLEscapeString(text) + `</span>`)
			return
		}
		out.WriteString(template.HTMLEscapeString(text))
	}
	if mark := own.FindString(line); mark != "" {
		out.WriteString(`<span class="own">` + mark + `</span>`)
		line = line[len(mark):]
	}
	from := 0
	for _, m := range sequence.FindAllStringSubmatchIndex(line, -1) {
		put(line[from:m[0]])
		if from = m[1]; m[2] >= 0 {
			now.apply(line[m[2]:m[3]])
		}
	}
	put(line[from:])
	return template.HTML(out.String())
}

// style is how text is to look. Colours are those of a terminal's first sixteen, counted from 1; 0 is none.
type style struct {
	bold, dim, italic, under, struck, inverse bool
	fore, back                                int
}

func (s *style) class() string {
	var out []string
	add := func(on bool, class string) {
		if on {
			out = append(out, class)
		}
	}
	add(s.bold, "a-b")
	add(s.dim, "a-d")
	add(s.italic, "a-i")
	add(s.under, "a-u")
	add(s.struck, "a-s")
	add(s.inverse, "a-r") // ink and paper change places, whatever the colours are: so it can be read
	add(s.fore > 0 && !s.inverse, "f"+strconv.Itoa(s.fore-1))
	add(s.back > 0 && !s.inverse, "g"+strconv.Itoa(s.back-1))
	return strings.Join(out, " ")
}

// apply takes the parameters of one sequence.
func (s *style) apply(params string) {
	fields := strings.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ':' })
	codes := make([]int, len(fields))
	for i, f := range fields {
		codes[i], _ = strconv.Atoi(f) // one that is too large is none that is known
	}
	if len(codes) == 0 {
		codes = []int{0}
	}
	for len(codes) > 0 {
		codes = codes[s.one(codes):]
	}
}

// one takes the first code with what belongs to it, and returns how many these are.
func (s *style) one(codes []int) int {
	switch c := codes[0]; {
	case c == 0:
		*s = style{}
	case c == 1:
		s.bold = true
	case c == 2:
		s.dim = true
	case c == 3:
		s.italic = true
	case c == 4:
		s.under = true
	case c == 7:
		s.inverse = true
	case c == 9:
		s.struck = true
	case c == 22:
		s.bold, s.dim = false, false
	case c == 23:
		s.italic = false
	case c == 24:
		s.under = false
	case c == 27:
		s.inverse = false
	case c == 29:
		s.struck = false
	case c >= 30 && c <= 37:
		s.fore = c - 29
	case c == 38 || c == 48:
		colour, used := palette(codes[1:])
		if c == 38 {
			s.fore = colour
		} else {
			s.back = colour
		}
		return 1 + used
	case c == 39:
		s.fore = 0
	case c >= 40 && c <= 47:
		s.back = c - 39
	case c == 49:
		s.back = 0
	case c >= 90 && c <= 97:
		s.fore = c - 81
	case c >= 100 && c <= 107:
		s.back = c - 91
	}
	return 1
}

// palette is the nearest of the sixteen colours, which the sheet makes readable on light and on dark, to one of 256 (5;n) or of
// all (2;r;g;b).
func palette(codes []int) (colour, used int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		n := codes[1]
		switch {
		case n < 16:
			return n + 1, 2
		case n < 232:
			n -= 16
			level := func(i int) int { return []int{0, 95, 135, 175, 215, 255}[i] }
			return nearest(level(n/36%6), level(n/6%6), level(n%6)), 2
		}
		grey := 8 + 10*(min(n, 255)-232)
		return nearest(grey, grey, grey), 2
	case len(codes) >= 4 && codes[0] == 2:
		return nearest(codes[1], codes[2], codes[3]), 4
	}
	return 0, len(codes)
}

// nearest goes by which of red, green and blue are strong, and by how bright the colour is.
func nearest(r, g, b int) int {
	strong, weak := max(r, g, b), min(r, g, b)
	if strong-weak < 32 { // grey
		switch {
		case strong < 64:
			return 1
		case strong < 150:
			return 9
		case strong < 220:
			return 8
		}
		return 16
	}
	half, colour := (strong+weak)/2, 1
	for i, c := range []int{r, g, b} {
		if c > half {
			colour += 1 << i
		}
	}
	if strong > 200 {
		colour += 8
	}
	return colour
}
