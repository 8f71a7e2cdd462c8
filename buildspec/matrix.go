package buildspec

import (
	"fmt"
	"strings"
)

// The keys of axes. Those of variables are "variables." and the name.
const (
	axisBuildspec  = "buildspec"
	axisCompute    = "compute-type"
	axisImage      = "image"
	axisType       = "type"
	axisPrivileged = "privileged-mode"
	axisVariable   = "variables."
)

// maxAxes bounds the lists of a matrix: with two values each, far fewer make more jobs than are allowed.
const maxAxes = 50

func (c *checker) matrix(e entry) *Matrix {
	m := &Matrix{at: e.at}
	n, ok := c.block(e, matrixSection.name)
	if !ok && e.value.kind != null {
		return m
	}
	if ok {
		c.section(matrixSection, n, map[string]func(entry){
			"static":  func(e entry) { c.static(e, m) },
			"dynamic": func(e entry) { c.dynamic(e, m) },
		})
	}
	if len(m.Axes) == 0 {
		c.warn(e.at, complaint{
			message: "batch.build-matrix has no list of values: it makes one job",
			hint:    "add dynamic: with env: and variables: or image: as lists",
		})
	}
	return m
}

func (c *checker) static(e entry, m *Matrix) {
	if n, ok := c.block(e, staticSection.name); ok {
		c.section(staticSection, n, map[string]func(entry){
			"ignore-failure": func(e entry) { m.IgnoreFailure = c.flag(e, staticSection.path(e.key)) },
			"env":            func(e entry) { c.entryEnv(e, staticSection.path(e.key), &m.Static) },
		})
	}
}

func (c *checker) dynamic(e entry, m *Matrix) {
	if n, ok := c.block(e, dynamicSection.name); ok {
		c.section(dynamicSection, n, map[string]func(entry){
			"buildspec": func(e entry) { c.axis(m, axisBuildspec, e, dynamicSection.path(e.key), c.cleanPath) },
			"env":       func(e entry) { c.axes(e, m) },
		})
	}
}

func (c *checker) axes(e entry, m *Matrix) {
	n, ok := c.block(e, axesSection.name)
	if !ok {
		return
	}
	path := axesSection.path
	c.section(axesSection, n, map[string]func(entry){
		axisCompute:    func(e entry) { c.axis(m, axisCompute, e, path(e.key), c.computeName) },
		axisImage:      func(e entry) { c.axis(m, axisImage, e, path(e.key), c.imageName) },
		axisType:       func(e entry) { c.axis(m, axisType, e, path(e.key), c.envTypeName) },
		axisPrivileged: func(e entry) { c.axis(m, axisPrivileged, e, path(e.key), c.yesOrNo) },
		"variables": func(e entry) {
			n, ok := c.block(e, path(e.key))
			if !ok {
				return
			}
			for _, v := range n.entries {
				if c.variableName(v) {
					c.axis(m, axisVariable+v.key, v, path("variables")+"."+shorten(v.key), nil)
				}
			}
		},
	})
}

// axis reads one list of a matrix. check makes a value what the plan has, "" for one that it told to be wrong; the
// values of variables are any text.
func (c *checker) axis(m *Matrix, key string, e entry, what string, check func(n *node, what, text string) string) {
	a := Axis{Key: key}
	wrong := false
	for _, n := range c.items(e, what) {
		text := n.text
		switch {
		case n.kind == null && check == nil:
			c.warn(n.at, complaint{message: fmt.Sprintf("a value of %s is empty: it is the empty text", what), hint: `say so: ""`})
		case n.kind == null:
			c.warn(n.at, complaint{message: fmt.Sprintf("an item of %s is empty, and is ignored", what), hint: "remove the dash"})
			continue
		case n.kind != scalar:
			c.wrong(n, "an item of "+what, "text")
			wrong = true
			continue
		case check != nil:
			if text = check(n, what, n.text); text == "" {
				wrong = true
				continue
			}
		}
		a.Values = append(a.Values, text)
		a.marks = append(a.marks, n.at)
	}
	if len(m.Axes) == maxAxes {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("this is list %d of batch.build-matrix, which may have %d", maxAxes+1, maxAxes),
			hint:    "move variables of one value to static",
		})
	}
	if len(a.Values) > 0 {
		m.Axes = append(m.Axes, a)
	} else if !wrong && e.value.kind != mapping {
		c.warn(e.at, complaint{message: what + " has no values, and is ignored", hint: "list some, or remove it"})
	}
}

func (c *checker) imageName(n *node, what, text string) string {
	return c.image(entry{at: n.at, value: n}, what, "write a reference like golang:1.26")
}

func (c *checker) yesOrNo(n *node, what, text string) string {
	switch strings.ToLower(text) {
	case "yes", "true":
		return "yes"
	case "no", "false":
		return "no"
	}
	c.wrong(n, "an item of "+what, "yes or no")
	return ""
}
