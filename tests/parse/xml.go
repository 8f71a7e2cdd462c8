package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds of the XML reader.
const (
	// MaxDepth is how deep elements, or JSON values, may nest. Reports nest below 20 deep.
	MaxDepth = 512
	// MaxTag bounds one tag with its attributes, in bytes: jest and ctest write whole stacks into attributes.
	MaxTag = 8 << 20
	// maxElement bounds the name of an element, in bytes: those of all that are open are held.
	maxElement = 1 << 10
	// maxAttributes is how many attributes of one tag are looked at.
	maxAttributes = 1000
	// firstBuffer is the size of the buffer before a tag needs more.
	firstBuffer = 64 << 10
)

// errCut ends a document before its root element does.
var errCut = errors.New("the file ends before its root element does; it was cut off while it was written")

// node is what next found.
type node int

const (
	nodeNone node = iota
	nodeStart
	nodeEnd
)

// xmlReader is a pull parser for the XML that reports are written in. It exists because encoding/xml takes a second of
// work for the raw tokens of 75 MB (BenchmarkStandardXML) and holds a text of any size in memory; this one finds the
// next "<", decodes only what is asked for, and hands texts on in pieces. FuzzXML holds it to read the same. It
// knows no namespaces: names are local names. Declared entities are never expanded: "&name;" stays as it is.
type xmlReader struct {
	src    io.Reader
	buf    []byte
	at     int // in buf, the next byte
	end    int // in buf, behind the last byte
	passed int64
	srcErr error

	name     string // of the element that starts or ends
	raw      []byte // its attributes, as written; valid until the next call
	attrs    []attr
	parsed   bool
	closing  bool // the last start tag was "<x/>": its end comes next
	names    map[string]string
	open     []string
	rootSeen bool

	// text, when not nil, receives the text of the document: see capture.
	text *bounded
}

type attr struct{ name, value []byte }

func newXML(src io.Reader) *xmlReader {
	return &xmlReader{src: src, buf: make([]byte, firstBuffer), names: map[string]string{}}
}

// fill reads more behind what is not yet used, keeping the bytes from keep on. It reports whether there was more.
func (x *xmlReader) fill(keep int) (shift int, ok bool) {
	if x.srcErr != nil {
		return 0, false
	}
	if keep > 0 {
		copy(x.buf, x.buf[keep:x.end])
		x.end -= keep
		x.at -= keep
		x.passed += int64(keep)
	}
	if x.end == len(x.buf) {
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	for tries := 0; ; tries++ {
		n, err := x.src.Read(x.buf[x.end:])
		x.end += n
		if err == nil && n == 0 && tries > 100 {
			err = io.ErrNoProgress
		}
		if err != nil {
			x.srcErr = err
		}
		if n > 0 || err != nil {
			return keep, n > 0
		}
	}
}

// find advances to the next occurrence of sep and returns true with at behind it. When take is true, what lies
// before is handed to it piece by piece.
func (x *xmlReader) find(sep string, take func([]byte)) bool {
	for {
		if i := bytes.Index(x.buf[x.at:x.end], []byte(sep)); i >= 0 {
			if take != nil {
				take(x.buf[x.at : x.at+i])
			}
			x.at += i + len(sep)
			return true
		}
		rest := max(x.at, x.end-len(sep)+1)
		if take != nil {
			take(x.buf[x.at:rest])
		}
		x.at = rest
		if _, ok := x.fill(x.at); !ok {
			if take != nil {
				take(x.buf[x.at:x.end])
			}
			x.at = x.end
			return false
		}
	}
}

// need makes n bytes available from at on, if the document has them.
func (x *xmlReader) need(n int) bool {
	for x.end-x.at < n {
		if _, ok := x.fill(x.at); !ok {
			return false
		}
	}
	return true
}

func (x *xmlReader) has(prefix string) bool {
	return x.need(len(prefix)) && string(x.buf[x.at:x.at+len(prefix)]) == prefix
}

// next finds the next start or end of an element. It returns io.EOF behind a complete document.
func (x *xmlReader) next() (node, error) {
	if x.closing {
		x.closing = false
		return x.pop(), nil
	}
	for {
		if !x.find("<", x.takeText) {
			return nodeNone, x.over()
		}
		if !x.need(1) {
			return nodeNone, x.over()
		}
		switch x.buf[x.at] {
		case '?':
			if !x.find("?>", nil) {
				return nodeNone, x.over()
			}
		case '!':
			if err := x.markup(); err != nil {
				return nodeNone, err
			}
		case '/':
			return x.endTag()
		default:
			return x.startTag()
		}
	}
}

// over is why the document ends here.
func (x *xmlReader) over() error {
	if x.srcErr != nil && x.srcErr != io.EOF {
		return x.srcErr
	}
	switch {
	case len(x.open) > 0:
		return errCut
	case !x.rootSeen:
		return errors.New("found no element, expected XML")
	}
	return io.EOF
}

// markup passes a comment, a CDATA section or a declaration. at is on the "!".
func (x *xmlReader) markup() error {
	switch {
	case x.has("!--"):
		x.at += len("!--")
		if !x.find("-->", nil) {
			return errCut
		}
	case x.has("![CDATA["):
		x.at += len("![CDATA[")
		if !x.find("]]>", x.takeCDATA) {
			return errCut
		}
	default:
		return x.declaration()
	}
	return nil
}

// declaration passes "<!DOCTYPE …>" with all it declares, minding quotes, comments and brackets. What follows the "!" is
// its name, whatever it is.
func (x *xmlReader) declaration() error {
	if !x.need(2) {
		return errCut
	}
	x.at += 2
	depth, quote := 1, byte(0)
	for depth > 0 {
		if !x.need(1) {
			return errCut
		}
		b := x.buf[x.at]
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '<':
			if x.has("<!--") {
				x.at += len("<!--")
				if !x.find("-->", nil) {
					return errCut
				}
				continue
			}
			depth++
		case b == '>':
			depth--
		}
		x.at++
	}
	return nil
}

// tag makes the text up to the closing ">" available and returns it; a ">" within quotes does not close.
func (x *xmlReader) tag() ([]byte, error) {
	i, quote := x.at, byte(0)
	for {
		for ; i < x.end; i++ {
			switch b := x.buf[i]; {
			case quote != 0:
				j := bytes.IndexByte(x.buf[i:x.end], quote)
				if j < 0 {
					i = x.end - 1
					continue
				}
				i, quote = i+j, 0
			case b == '"' || b == '\'':
				quote = b
			case b == '>':
				text := x.buf[x.at:i]
				x.at = i + 1
				return text, nil
			case b == '<':
				return nil, fmt.Errorf("found '<' inside the tag <%s>, expected '>'", shorten(x.buf[x.at:i]))
			}
		}
		if i-x.at > MaxTag {
			return nil, fmt.Errorf("the tag <%s> is longer than %d bytes", shorten(x.buf[x.at:i]), MaxTag)
		}
		shift, ok := x.fill(x.at)
		if !ok {
			return nil, x.overCut()
		}
		i -= shift
	}
}

func (x *xmlReader) overCut() error {
	if x.srcErr != nil && x.srcErr != io.EOF {
		return x.srcErr
	}
	return errCut
}

func (x *xmlReader) startTag() (node, error) {
	text, err := x.tag()
	if err != nil {
		return nodeNone, err
	}
	if n := len(text); n > 0 && text[n-1] == '/' {
		x.closing = true
		text = text[:n-1]
	}
	size := nameSize(text)
	if size == 0 {
		return nodeNone, fmt.Errorf("found the tag <%s>, expected a name after '<'", shorten(text))
	}
	if size > maxElement {
		return nodeNone, fmt.Errorf("the name of the element <%s> is longer than %d bytes", shorten(text), maxElement)
	}
	if len(x.open) == 0 && x.rootSeen {
		return nodeNone, fmt.Errorf("found a second root element, <%s>", shorten(text[:size]))
	}
	if len(x.open) >= MaxDepth {
		return nodeNone, fmt.Errorf("elements are nested more than %d deep", MaxDepth)
	}
	x.rootSeen = true
	x.name = x.intern(text[:size])
	x.open = append(x.open, x.name)
	x.raw, x.parsed = text[size:], false
	return nodeStart, nil
}

func (x *xmlReader) endTag() (node, error) {
	text, err := x.tag()
	if err != nil {
		return nodeNone, err
	}
	name := bytes.TrimRight(text[1:], " \t\r\n")
	if len(x.open) == 0 {
		return nodeNone, fmt.Errorf("found </%s>, but no element is open", shorten(name))
	}
	if open := x.open[len(x.open)-1]; open != string(local(name)) {
		return nodeNone, fmt.Errorf("found </%s>, expected </%s>", shorten(name), shorten([]byte(open)))
	}
	return x.pop(), nil
}

func (x *xmlReader) pop() node {
	x.name = x.open[len(x.open)-1]
	x.open = x.open[:len(x.open)-1]
	return nodeEnd
}

// maxNames bounds the names that are kept to be shared.
const maxNames = 1024

// intern is the local name as a string, allocated once.
func (x *xmlReader) intern(name []byte) string {
	name = local(name)
	if s, ok := x.names[string(name)]; ok {
		return s
	}
	s := string(name)
	if len(x.names) < maxNames && len(s) < 64 {
		x.names[s] = s
	}
	return s
}
