package parse

import (
	"strconv"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// cobertura reads coverage of the DTD http://cobertura.sourceforge.net/xml/coverage-04.dtd, as coverage.py, istanbul,
// gcovr, coverlet and gocover-cobertura write it. A file may be spread over classes, and a line stands both in its
// method and in its class; both are joined. Branches are only counted: condition-coverage="50% (1/2)".
type cobertura struct {
	in      *input
	sources []string
	file    *tests.FileCoverage
	text    bounded
}

func parseCobertura(in *input) error { return walk(in, &cobertura{in: in}) }

func (c *cobertura) start(x *xmlReader) (err error) {
	switch x.name {
	case "source":
		x.capture(&c.text, tests.MaxName)
	case "class":
		c.file, err = c.in.file(c.path(x.attribute("filename", tests.MaxName)))
	case "line":
		if c.file == nil {
			return nil
		}
		line := x.number("number")
		if err := c.in.line(c.file, line, x.number("hits") > 0); err != nil {
			return err
		}
		if x.hasAttribute("condition-coverage") {
			return c.in.counted(c.file, line, condition(x.attribute("condition-coverage", 64)))
		}
	}
	return err
}

// path joins a file with the first source that makes it one below the root. Without such a source it stays as it is.
func (c *cobertura) path(name string) string {
	if c.in.root == "" || strings.HasPrefix(name, "/") {
		return name
	}
	for _, source := range c.sources {
		if joined := tests.SourcePath(c.in.root, source+"/"+name); !strings.HasPrefix(joined, "/") {
			return joined
		}
	}
	return name
}

// condition reads "50% (1/2)".
func condition(text string) tests.Count {
	_, text, _ = strings.Cut(text, "(")
	text, _, _ = strings.Cut(text, ")")
	covered, total, ok := strings.Cut(text, "/")
	if !ok {
		return tests.Count{}
	}
	return tests.Count{Covered: atoi([]byte(covered)), Total: atoi([]byte(total))}
}

func (c *cobertura) end(x *xmlReader) error {
	switch x.name {
	case "source":
		if text := strings.TrimSpace(x.captured()); text != "" && len(c.sources) < 100 {
			c.sources = append(c.sources, text)
		}
		x.capture(nil, 0)
	case "class":
		c.file = nil
	}
	return nil
}

// clover reads OpenClover's XML (https://openclover.org/doc/manual/), as phpunit and istanbul write it: files of
// lines of type stmt, method or cond. A cond tells of both its ways.
type clover struct {
	in   *input
	file *tests.FileCoverage
}

func parseClover(in *input) error { return walk(in, &clover{in: in}) }

func (c *clover) start(x *xmlReader) (err error) {
	switch x.name {
	case "file":
		name := x.attribute("path", tests.MaxName)
		if name == "" {
			name = x.attribute("name", tests.MaxName)
		}
		c.file, err = c.in.file(name)
	case "line":
		if c.file == nil {
			return nil
		}
		line := x.number("num")
		if x.attribute("type", 16) != "cond" {
			return c.in.line(c.file, line, x.number("count") > 0)
		}
		yes, no := x.number("truecount"), x.number("falsecount")
		if err = c.in.branch(c.file, line, "true", yes > 0); err == nil {
			err = c.in.branch(c.file, line, "false", no > 0)
		}
		if err == nil {
			err = c.in.line(c.file, line, yes+no+x.number("count") > 0)
		}
	}
	return err
}

func (c *clover) end(x *xmlReader) error {
	if x.name == "file" {
		c.file = nil
	}
	return nil
}

// jacoco reads the report of https://www.jacoco.org/jacoco/trunk/coverage/report.dtd: lines of sourcefiles with missed
// and covered instructions (mi, ci) and branches (mb, cb). A line ran when any instruction of it did.
type jacoco struct {
	in     *input
	groups []string // the modules around a package
	pkg    string
	file   *tests.FileCoverage
}

func parseJaCoCo(in *input) error { return walk(in, &jacoco{in: in}) }

func (j *jacoco) start(x *xmlReader) (err error) {
	switch x.name {
	case "group":
		j.groups = append(j.groups, x.attribute("name", tests.MaxName))
	case "package":
		j.pkg = x.attribute("name", tests.MaxName)
	case "sourcefile":
		parts := append(append([]string{}, j.groups...), j.pkg, x.attribute("name", tests.MaxName))
		j.file, err = j.in.file(strings.Trim(strings.Join(parts, "/"), "/"))
	case "line":
		if j.file == nil {
			return nil
		}
		line := x.number("nr")
		if err := j.in.line(j.file, line, x.number("ci") > 0); err != nil {
			return err
		}
		missed, covered := x.number("mb"), x.number("cb")
		return j.in.counted(j.file, line, tests.Count{Covered: covered, Total: missed + covered})
	}
	return err
}

func (j *jacoco) end(x *xmlReader) error {
	switch x.name {
	case "group":
		j.groups = j.groups[:len(j.groups)-1]
	case "package":
		j.pkg = ""
	case "sourcefile":
		j.file = nil
	}
	return nil
}

// armName names one of several branches by numbers.
func armName(numbers ...int) string {
	var text []byte
	for i, n := range numbers {
		if i > 0 {
			text = append(text, '/')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(text)
}
