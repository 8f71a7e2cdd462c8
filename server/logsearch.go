package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

type searchLogIn struct {
	LogInput
	Text   string `query:"q" required:"true" minLength:"1" maxLength:"500" doc:"what is looked for"`
	Regexp bool   `query:"regexp" doc:"q is a regular expression, of RE2"`
	Case   bool   `query:"case" doc:"capitals matter"`
	From   int64  `query:"from" minimum:"1" default:"1" doc:"number of the first line that is searched"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"lines"`
}

const (
	// searchTime ends a search that found too little meanwhile; whoever asked goes on from there.
	searchTime = 2 * time.Second
	// maxSteps bounds an expression: each byte of a line may take as many steps as it has. Any text that q has room for fits.
	maxSteps = 1000
	// maxMatch is how many bytes are shown of a line in which something was found, and aroundMatch how many of them before it.
	maxMatch    = 400
	aroundMatch = 100
)

// pattern is what a search looks for. Plain text whose capitals matter, the quickest, needs no regular expression.
func (in *searchLogIn) pattern() (find func(line []byte) int, err error) {
	if !in.Regexp && in.Case {
		text := []byte(in.Text)
		return func(line []byte) int { return bytes.Index(line, text) }, nil
	}
	text := in.Text
	if !in.Regexp {
		text = regexp.QuoteMeta(text)
	}
	if !in.Case {
		text = "(?i)" + text
	}
	if tooLong(text) {
		return nil, problem(http.StatusUnprocessableEntity, "q is an expression that makes too much work", "repeat less in it: {0,1000} counts a thousand times")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "q is no regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "),
			"the syntax is that of RE2; without regexp=true the text is taken as it is")
	}
	return func(line []byte) int {
		if at := re.FindIndex(line); at != nil {
			return at[0]
		}
		return -1
	}, nil
}

// tooLong tells whether an expression has too many steps. Of one that is wrong it tells nothing.
func tooLong(text string) bool {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return false
	}
	steps, err := syntax.Compile(tree.Simplify())
	return err == nil && len(steps.Inst) > maxSteps
}

func (a *api) searchLog(ctx context.Context, in *searchLogIn) (*jsonOut[client.LogMatches], error) {
	find, err := in.pattern()
	if err != nil {
		return nil, err
	}
	place, have, err := a.findLines(ctx, in.id(), in.Job, in.Attempt)
	if err != nil {
		return nil, err
	}
	out := client.LogMatches{Job: place.job, Attempt: place.attempt, Matches: []client.LogMatch{}, Total: have.Lines}
	if in.From > have.Lines {
		return answer(out)
	}
	leave, err := a.searching.enter(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	defer leave()
	offset, err := a.Artifacts.LineOffset(ctx, place.log, in.From-1)
	if err != nil {
		return nil, err
	}
	r := a.Artifacts.ReadLog(ctx, place.log, offset, false)
	defer r.Close()
	s := &search{find: find, limit: in.Limit, until: time.Now().Add(searchTime), out: &out}
	s.lines = splitter{number: in.From, offset: offset, pos: offset}
	if err := s.run(io.LimitReader(r, have.Bytes-offset)); err != nil {
		return nil, fmt.Errorf("searching the log of %s: %w", in.id(), err)
	}
	return answer(out)
}

// search goes through lines.
type search struct {
	find  func(line []byte) int
	limit int
	until time.Time
	lines splitter
	out   *client.LogMatches
}

func (s *search) run(r io.Reader) error {
	buf := make([]byte, streamBlock)
	for {
		n, err := r.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			var ended bool
			if p, ended = s.lines.take(p); ended && (s.look() || s.late()) {
				return nil
			}
		}
		switch {
		case err == io.EOF:
			if s.lines.size > 0 {
				s.look()
			}
			s.out.Next = 0
			return nil
		case err != nil:
			return err
		case s.late(): // in the middle of a line that is longer than a block
			s.out.Next = s.lines.number
			return nil
		}
	}
}

// late tells whether the search has taken its time.
func (s *search) late() bool { return time.Now().After(s.until) }

// look looks at one line, and tells whether that was enough.
func (s *search) look() (enough bool) {
	line := visible(s.lines.kept)
	if at := s.find(line); at >= 0 {
		s.out.Matches = append(s.out.Matches, client.LogMatch{Line: s.lines.number, Text: around(line, at)})
		enough = len(s.out.Matches) == s.limit
	}
	s.lines.skip()
	s.out.Next = s.lines.number
	return enough
}

// visible is a line as people see it: what escape sequences do is left out, and what was written over.
func visible(line []byte) []byte {
	line = bytes.TrimRight(line, "\r")
	if i := bytes.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	if bytes.IndexByte(line, 0x1b) < 0 && bytes.IndexByte(line, 0xc2) < 0 { // the second begins a C1 control in UTF-8
		return line
	}
	return []byte(ansi.Strip(string(line)))
}

// around is what is shown of a line, from a little before the match on.
func around(line []byte, at int) string {
	from := 0
	if len(line) > maxMatch && at > aroundMatch {
		from = at - aroundMatch
	}
	for from > 0 && from < len(line) && !utf8.RuneStart(line[from]) {
		from++
	}
	return strings.ToValidUTF8(string(line[from:min(len(line), from+maxMatch)]), "")
}
