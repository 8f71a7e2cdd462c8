package parse

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// tap reads the Test Anything Protocol, versions 12 to 14 (https://testanything.org/tap-version-14-specification.html):
// plans, test points with directives, YAML blocks, comments, and subtests, which are indented by four spaces. It also
// reads what prove -v prints around it: the name of the file before each file's points.
//
// A point that has subtests stands for its group; the points in it are the cases. It is a case itself only when it
// fails and none of them did. The names of the groups around a point are its class.
type tap struct {
	in     *input
	lines  *textLines
	levels []tapLevel
	file   string // prove's
	c      *tests.Case
	yaml   tapYAML
	notes  bounded
	points int
}

// tapLevel is one depth of subtests.
type tapLevel struct {
	name        string // of the subtest, from its comment
	planned     int    // -1 before the plan
	points      int
	failed      int    // cases here and below
	next        string // what the next deeper level is called
	inner       int    // points in the subtests since the last point
	innerFailed int
}

var (
	tapPoint = regexp.MustCompile(`^(not )?ok\b(?:\s+(\d+))?\s*(?:-\s+)?(.*)$`)
	tapPlan  = regexp.MustCompile(`^1\.\.(\d{1,9})\s*(?:#\s*(.*))?$`)
	proveRow = regexp.MustCompile(`^(\S+\.\w+) \.+\s*$`)
)

func isPlan(line []byte) bool { return tapPlan.Match(line) }

// isTestLine is stricter than the protocol: "ok" alone is what many programs print.
func isTestLine(line []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimPrefix(line, []byte("not ")), []byte("ok "))
	return ok && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'
}

func parseTAP(in *input) error {
	t := &tap{in: in, lines: &textLines{src: in.Reader}, levels: []tapLevel{{planned: -1}}}
	for {
		line, err := t.lines.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = t.line(decodeLine(line))
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", t.lines.Number, err)
		}
	}
	if err := t.closeTo(0); err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	switch top := &t.levels[0]; {
	case t.points == 0 && top.planned != 0:
		return fmt.Errorf("found no test point in %d lines, expected lines such as \"ok 1 - name\"", t.lines.Number-1)
	case t.file == "" && top.planned < 0:
		return fmt.Errorf("found no plan, expected \"1..%d\"; the file was cut off, or the tests ended early", top.points)
	case top.planned >= 0 && top.points < top.planned:
		return fmt.Errorf("the plan promises %d tests, but only %d are there; the file was cut off, or the tests ended early", top.planned, top.points)
	}
	return nil
}

func decodeLine(line []byte) string {
	return strings.TrimRight(validUTF8(string(line)), " \t")
}

func (t *tap) line(text string) error {
	indent := len(text) - len(strings.TrimLeft(text, " "))
	body := text[indent:]
	if t.yaml.open && t.yamlLine(text, indent) {
		return nil
	}
	depth := indent / 4
	switch {
	case body == "":
		return nil
	case body == "---":
		t.yaml = tapYAML{open: true, indent: indent}
		return nil
	case depth > MaxDepth:
		return fmt.Errorf("subtests are nested more than %d deep", MaxDepth)
	case strings.HasPrefix(body, "# Subtest"):
		return t.subtest(strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(body, "# Subtest"), ":")), depth)
	case strings.HasPrefix(body, "#"):
		if t.c != nil && !strings.HasPrefix(body, "# Looks like") {
			t.notes.add([]byte(strings.TrimPrefix(strings.TrimPrefix(body, "#"), " ") + "\n"))
		}
		return nil
	case strings.HasPrefix(body, "Bail out!"):
		return t.bail(strings.TrimSpace(strings.TrimPrefix(body, "Bail out!")))
	}
	if m := tapPlan.FindStringSubmatch(body); m != nil {
		return t.plan(m, depth)
	}
	if m := proveRow.FindStringSubmatch(body); m != nil && indent == 0 {
		return t.startFile(m[1])
	}
	if m := tapPoint.FindStringSubmatch(body); m != nil && (t.file == "" || body != "ok") {
		return t.point(m, depth)
	}
	return nil // what the test printed
}

// startFile begins the points of a file, as prove -v shows them.
func (t *tap) startFile(name string) error {
	if err := t.closeTo(0); err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.levels[0] = tapLevel{planned: -1}
	t.file = name
	return nil
}

// subtest begins a group: its comment stands at the depth of the group's own point, one above its points.
func (t *tap) subtest(name string, depth int) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.deepen(depth)
	t.levels[depth].next = unescapeTAP(name)
	return t.closeTo(depth)
}

// deepen opens the levels down to depth.
func (t *tap) deepen(depth int) {
	for len(t.levels) <= depth {
		above := &t.levels[len(t.levels)-1]
		t.levels = append(t.levels, tapLevel{name: above.next, planned: -1})
		above.next = ""
	}
}

// closeTo ends the levels below depth, and adds them up in the one above.
func (t *tap) closeTo(depth int) error {
	for len(t.levels)-1 > depth {
		if err := t.flush(); err != nil {
			return err
		}
		last := t.levels[len(t.levels)-1]
		t.levels = t.levels[:len(t.levels)-1]
		above := &t.levels[len(t.levels)-1]
		above.inner += last.points + last.inner
		above.innerFailed += last.failed + last.innerFailed
	}
	return nil
}

func (t *tap) plan(m []string, depth int) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.deepen(depth)
	n, _ := strconv.Atoi(m[1])
	t.levels[depth].planned = n
	if n == 0 && depth == 0 && m[2] != "" {
		_, reason := directive("# " + m[2])
		c := &tests.Case{Name: cmp.Or(t.file, "all tests"), File: t.file, Status: tests.Skipped, Message: reason}
		t.points++
		return t.in.emit(c)
	}
	return nil
}

func (t *tap) bail(reason string) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.points++
	return t.in.emit(&tests.Case{Name: "Bail out!", File: t.file, Status: tests.Error, Message: reason})
}
