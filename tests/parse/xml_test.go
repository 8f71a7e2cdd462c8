package parse

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// ownTokens is a document as our reader sees it, a line an event.
func ownTokens(src io.Reader) (string, error) {
	var b strings.Builder
	x := newXML(src)
	var text bounded
	for {
		x.capture(&text, 1<<20)
		n, err := x.next()
		if s := x.captured(); s != "" && len(x.open)+boolInt(n == nodeEnd) > boolInt(n == nodeStart) {
			fmt.Fprintf(&b, "text %q\n", s)
		}
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		if n == nodeEnd {
			fmt.Fprintf(&b, "end %s\n", x.name)
			continue
		}
		fmt.Fprintf(&b, "start %s", x.name)
		for _, a := range x.attributes() {
			fmt.Fprintf(&b, " %s=%q", a.name, decodeText(a.value, 1<<20))
		}
		b.WriteByte('\n')
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// standardTokens is a document as encoding/xml sees it.
func standardTokens(text []byte) (string, error) {
	var b, chars strings.Builder
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not compared") }
	depth, roots := 0, 0
	flush := func() {
		if chars.Len() > 0 && depth > 0 {
			fmt.Fprintf(&b, "text %q\n", chars.String())
		}
		chars.Reset()
	}
	for {
		t, err := d.Token()
		if err == io.EOF && roots == 1 {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			flush()
			if depth++; depth == 1 {
				roots++
			}
			fmt.Fprintf(&b, "start %s", t.Name.Local)
			for _, a := range t.Attr {
				fmt.Fprintf(&b, " %s=%q", a.Name.Local, a.Value)
			}
			b.WriteByte('\n')
		case xml.EndElement:
			flush()
			depth--
			fmt.Fprintf(&b, "end %s\n", t.Name.Local)
		case xml.CharData:
			chars.Write(t)
		}
	}
}

// FuzzXML compares with encoding/xml: what that reads, ours reads the same; what ours reads, it reads the same in
// pieces of one byte.
func FuzzXML(f *testing.F) {
	for _, name := range fixtures(f) {
		if text, err := os.ReadFile(name); err == nil && bytes.HasPrefix(text, []byte("<")) {
			f.Add(text)
		}
	}
	for _, s := range []string{
		"<a/>", "<a b='c' d=\"e>f\">&lt;&#65;&#x42;<![CDATA[<x>&amp;]]]]><!-- c --></a>", "<!DOCTYPE a [<!ENTITY x \"y>\"><!-- > -->]><a>t</a>",
		"<a>\r\n\r<b\r\n c='1'\n/></a >", "<x:a xmlns:x='u' x:b='1'/>", "<?xml version='1.0'?><a><?pi a > b?></a>", "<a>]]></a>", "<a><b></a></b>", "<a", "<!<\"\"><a></a>", "<!>><a/>", "<!",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ownTokens(bytes.NewReader(text))
		slow, slowErr := ownTokens(iotest.OneByteReader(bytes.NewReader(text)))
		if got != slow || (err == nil) != (slowErr == nil) {
			t.Fatalf("in one piece:\n%s%v\nin pieces of a byte:\n%s%v", got, err, slow, slowErr)
		}
		want, wantErr := standardTokens(text)
		if wantErr != nil || len(text) > 1<<18 {
			return
		}
		if err != nil {
			t.Fatalf("encoding/xml reads it, we say: %v", err)
		}
		if got != want {
			t.Fatalf("got:\n%s\nencoding/xml:\n%s", got, want)
		}
	})
}
