package parse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/runner-ci/runner/runner/agent/sniff"
	"github.com/runner-ci/runner/tests"
)

// The formats, as a buildspec's file-format spells them. The last three are not CodeBuild's.
const (
	JUnit     = "JUNITXML"
	Cucumber  = "CUCUMBERJSON"
	NUnit2    = "NUNITXML"
	NUnit3    = "NUNIT3XML"
	TestNG    = "TESTNGXML"
	TRX       = "VISUALSTUDIOTRX"
	Clover    = "CLOVERXML"
	Cobertura = "COBERTURAXML"
	JaCoCo    = "JACOCOXML"
	SimpleCov = "SIMPLECOV"
	LCOV      = "LCOV"
	GoTest    = "GOTESTJSON"
	TAP       = "TAP"
	GoCover   = "GOCOVER"
)

// ErrFormat means that a file is in no format that is known, or was said to be in one that does not exist.
var ErrFormat = errors.New("no known format of test results or coverage")

// Sink takes what a parser finds. A nil function takes nothing. What it is given is its own to keep. An error from it
// ends the parsing and is returned as it is.
type Sink struct {
	Case func(*tests.Case) error
	File func(*tests.FileCoverage) error
}

// Error tells what in a report file could not be read.
type Error struct {
	Name   string // the file's name
	Format string
	Err    error
}

func (e *Error) Error() string {
	return fmt.Sprintf("reading %s as %s: %v", e.Name, e.Format, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Parser reads report files. The zero value is ready.
type Parser struct {
	// Root is the source directory as the tests saw it. Paths below it become relative.
	Root string
}

// parsers are the formats and what reads them.
var parsers = map[string]func(*input) error{
	JUnit: parseJUnit, Cucumber: parseCucumber, NUnit2: parseNUnit2, NUnit3: parseNUnit3, TestNG: parseTestNG, TRX: parseTRX,
	GoTest: parseGoTest, TAP: parseTAP,
	Clover: parseClover, Cobertura: parseCobertura, JaCoCo: parseJaCoCo, SimpleCov: parseSimpleCov, LCOV: parseLCOV, GoCover: parseGoCover,
}

// Formats are all formats, as a buildspec's file-format spells them.
func Formats() []string {
	return []string{
		JUnit, Cucumber, NUnit2, NUnit3, TestNG, TRX, GoTest, TAP,
		Clover, Cobertura, JaCoCo, SimpleCov, LCOV, GoCover,
	}
}

// Parse reads one report file with a zero Parser.
func Parse(format, name string, r io.Reader, sink Sink) error {
	return Parser{}.Parse(format, name, r, sink)
}

// Parse reads one report file. The format is one of Formats, whatever its case, or "" to find out. Name is for errors. It returns an error
// of the sink as it is, an ErrFormat when the format is not known, and an *Error when the file is not what its format
// demands; what could be read before has been given to the sink.
func (p Parser) Parse(format, name string, r io.Reader, sink Sink) error {
	text := utf8Reader(r)
	format = strings.ToUpper(format)
	if format == "" {
		head, _ := text.Peek(sniff.Size)
		if format = Sniff(head); format == "" {
			return fmt.Errorf("reading %s: %w", name, ErrFormat)
		}
	}
	read := parsers[format]
	if read == nil {
		return fmt.Errorf("reading %s: format %q: %w, expected one of %s", name, format, ErrFormat, strings.Join(Formats(), ", "))
	}
	in := &input{Reader: text, root: p.Root, sink: sink, files: map[string]*tests.FileCoverage{}}
	err := read(in)
	err = errors.Join(err, in.flush())
	switch {
	case in.sinkErr != nil:
		return in.sinkErr
	case err != nil:
		return &Error{Name: name, Format: format, Err: err}
	}
	return nil
}

// Sniff is the format of a file by its beginning, of which it wants sniff.Size bytes in UTF-8; "" if it is none.
func Sniff(head []byte) string {
	if format := sniff.Format(head); format != "" {
		return format
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0, bytes.HasPrefix(line, []byte("#")), proveRow.Match(line):
			continue
		case bytes.HasPrefix(line, []byte("mode: ")):
			return GoCover
		case bytes.HasPrefix(line, []byte("{")) && bytes.Contains(line, []byte(`"Action":"`)):
			return GoTest
		case bytes.HasPrefix(line, []byte("TAP version ")), isPlan(line), isTestLine(line):
			return TAP
		}
		return ""
	}
	return ""
}

// input is one file on its way through a parser.
type input struct {
	*bufio.Reader
	root    string
	sink    Sink
	sinkErr error
	files   map[string]*tests.FileCoverage
	order   []*tests.FileCoverage
	kept    int // bytes that coverage takes which is not yet handed out
	spanned int // lines that blocks of Go profiles spanned, in 64
}

// errSink ends a parser whose sink has had enough.
var errSink = errors.New("the sink ended the parsing")

// emit hands a case out, with its texts bounded and its id.
func (in *input) emit(c *tests.Case) error {
	if in.sink.Case == nil {
		return nil
	}
	c.Suite, c.Class, c.Name = name(c.Suite), name(c.Class), name(c.Name)
	c.File = tests.SourcePath(in.root, tests.Cut(c.File, tests.MaxName))
	c.Message = strings.ReplaceAll(c.Message, "\r\n", "\n")
	c.Message, c.Details = tests.Cut(c.Message, tests.MaxMessage), tests.Cut(c.Details, tests.MaxDetails+100)
	if c.Status == "" {
		c.Status = tests.Succeeded
	}
	if c.Status == tests.Succeeded {
		c.Output = ""
	}
	if c.Message == "" && c.Status != tests.Succeeded {
		c.Message = firstLine(c.Details)
	}
	if c.ID == "" {
		c.ID = tests.Identify(c)
	}
	in.locate(c)
	if err := in.sink.Case(c); err != nil {
		in.sinkErr = err
		return errSink
	}
	return nil
}

// locate fills in where a test failed, if its text tells: only after the id, which is the same whether it fails.
func (in *input) locate(c *tests.Case) {
	if !c.Status.Bad() || c.Line > 0 {
		return
	}
	file, line := locate(in.root, c.Message+"\n"+c.Details)
	if c.File == "" {
		c.File = file
	}
	if c.File == file {
		c.Line = line
	}
}

// name trims and bounds a name.
func name(text string) string { return tests.Cut(strings.TrimSpace(text), tests.MaxName) }

// firstLine is the first line that says something.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return tests.Cut(line, tests.MaxMessage)
		}
	}
	return ""
}
