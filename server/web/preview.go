package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/runner-ci/runner/client"
)

const (
	// mostText is how much of a text is shown, mostXML how large a report may be to be shown as a table.
	mostText = 256 << 10
	mostXML  = 4 << 20
	// mostCases bounds that table.
	mostCases = 1000
)

// preview is one file, shown as what it is.
type preview struct {
	client.ArtifactFile
	Kind     string // image, page, junit, text, none
	Why      string // of none
	Source   string // of image and page: where the browser finds it
	Text     string
	Cut      bool // there is more of the text
	Suites   []junitSuite
	Download string
}

// imageNames and pageNames are the endings of what a browser shows.
var (
	imageNames = map[string]bool{".png": true, ".jpg": true, ".jpeg": true, ".gif": true, ".webp": true, ".avif": true, ".bmp": true, ".ico": true, ".svg": true}
	pageNames  = map[string]bool{".html": true, ".htm": true}
)

// preview decides how a file is shown, and reads what that takes.
func (s *Site) preview(v *visit, b client.Build, set client.ArtifactSet, f client.ArtifactFile) (*preview, error) {
	q := choiceQuery(set)
	q.Set("path", f.Path)
	p := &preview{ArtifactFile: f, Kind: "none", Download: apiBuildPath(b) + "/artifacts/file?" + q.Encode()}
	ending := strings.ToLower(path.Ext(f.Path))
	switch mode := fs.FileMode(f.Mode); {
	case mode&fs.ModeSymlink != 0:
		p.Why, p.Download = "a link to "+f.Link, ""
		return p, nil
	case !mode.IsRegular():
		p.Why, p.Download = "no file", ""
		return p, nil
	case f.Size == 0:
		p.Why = "the file is empty"
		return p, nil
	case imageNames[ending], pageNames[ending]:
		below, err := s.Client.Preview(v.Context(), b.ID, choiceOf(set))
		if err != nil {
			return nil, err
		}
		if p.Kind = "image"; pageNames[ending] {
			p.Kind = "page"
		}
		p.Source = below.Path + escapePath(f.Path)
		return p, nil
	}
	limit := int64(mostText)
	if ending == ".xml" {
		limit = mostXML
	}
	text, err := s.beginning(v, b.ID, choiceOf(set), f.Path, limit)
	if err != nil {
		return nil, err
	}
	if ending == ".xml" && f.Size <= mostXML {
		if p.Suites = readJUnit(text); p.Suites != nil {
			p.Kind = "junit"
			return p, nil
		}
	}
	p.show(text)
	return p, nil
}

// choiceOf names a set to the API.
func choiceOf(set client.ArtifactSet) client.Choice {
	q := choiceQuery(set)
	return client.Choice{Job: set.Job, Artifact: q.Get("artifact"), Reports: set.Reports}
}

// escapePath escapes each part of a path.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// beginning reads at most so much of a file.
func (s *Site) beginning(v *visit, id string, of client.Choice, name string, limit int64) ([]byte, error) {
	r, err := s.Client.FileOf(v.Context(), id, of, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}

// show takes the file for text, if it is.
func (p *preview) show(text []byte) {
	whole := int64(len(text)) == p.Size
	if len(text) > mostText {
		text, whole = text[:mostText], false
	}
	for cut := 0; !whole && cut < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text); cut++ { // a character may be cut in two
		text = text[:len(text)-1]
	}
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		p.Why = "this is no text"
		return
	}
	p.Kind, p.Text, p.Cut = "text", string(text), !whole
}

// junitSuite is one suite of a JUnit report, junitCase a test of it.
type junitSuite struct {
	Name  string       `xml:"name,attr"`
	Cases []junitCase  `xml:"testcase"`
	Inner []junitSuite `xml:"testsuite"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Seconds string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Skipped *junitResult `xml:"skipped"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Status is the test's, in our words.
func (c junitCase) Status() string {
	switch {
	case c.Failure != nil:
		return "FAILED"
	case c.Error != nil:
		return "ERROR"
	case c.Skipped != nil:
		return "SKIPPED"
	}
	return "SUCCEEDED"
}

// Message is the first line of what went wrong.
func (c junitCase) Message() string {
	for _, r := range []*junitResult{c.Failure, c.Error, c.Skipped} {
		if r != nil && r.Message != "" {
			return firstLine(r.Message)
		} else if r != nil {
			return firstLine(r.Text)
		}
	}
	return ""
}

// readJUnit reads a JUnit report, nil where it is none. encoding/xml expands no entities of a file's own and opens nothing.
func readJUnit(text []byte) []junitSuite {
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; depth < 100; depth++ {
		token, err := d.Token()
		if err != nil {
			return nil
		}
		begin, is := token.(xml.StartElement)
		if !is {
			continue
		}
		var root junitSuite
		if name := begin.Name.Local; name != "testsuites" && name != "testsuite" {
			return nil
		}
		if err := d.DecodeElement(&root, &begin); err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		room := mostCases
		return flatten(nil, root, &room)
	}
	return nil
}

// flatten takes the suites that have tests, failed tests first, until there is no room.
func flatten(out []junitSuite, s junitSuite, room *int) []junitSuite {
	if len(s.Cases) > 0 && *room > 0 {
		var first, then []junitCase
		for _, c := range s.Cases {
			if class(c.Status()) == "no" {
				first = append(first, c)
			} else {
				then = append(then, c)
			}
		}
		all := append(first, then...)
		all = all[:min(len(all), *room)]
		*room -= len(all)
		out = append(out, junitSuite{Name: s.Name, Cases: all})
	}
	for _, inner := range s.Inner {
		out = flatten(out, inner, room)
	}
	return out
}
