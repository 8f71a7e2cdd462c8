package starter

import (
	"regexp"
	"strconv"
	"strings"
)

// versionText is what may stand in an image's tag.
var versionText = regexp.MustCompile(`^[0-9]+(\.[0-9]+){0,2}$`)

// exact is a version as an image's tag, "" for what is none: "v20.11.1\n" is "20.11.1", "3.12-dev" nothing.
func exact(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	line = strings.TrimPrefix(strings.TrimPrefix(line, "v"), "=")
	if versionText.MatchString(line) {
		return line
	}
	return ""
}

// parts are the numbers of a version: "3.12" is [3 12].
func parts(version string) []int {
	var numbers []int
	for text := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(text)
		if err != nil {
			break
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// compare orders versions by as many numbers as both have.
func compare(a, b string) int {
	x, y := parts(a), parts(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] - y[i]
		}
	}
	return 0
}

// minor is a version without its third number.
func minor(version string) string {
	fields := strings.SplitN(version, ".", 3)
	return strings.Join(fields[:min(len(fields), 2)], ".")
}

// bound is one condition of a range of versions, as npm, Python, Poetry and Bundler write them.
var bound = regexp.MustCompile(`(>=|<=|>|<|\^|~=|~>|~|===|==|=|!=)?\s*v?([0-9]+(?:\.[0-9]+){0,2})(?:\.[xX*])*`)

// within is the first of the known versions that a range allows. A range that is not understood allows all; one that
// allows none of them names the version itself. Known versions all have as many numbers as an image's tag.
func within(ranges string, known ...string) string {
	depth := len(parts(known[0]))
	for _, version := range known {
		for alternative := range strings.SplitSeq(ranges, "||") {
			if allows(alternative, version, depth) {
				return version
			}
		}
	}
	for _, m := range bound.FindAllStringSubmatch(ranges, -1) {
		if !strings.HasPrefix(m[1], "<") && m[1] != "!=" {
			return cutTo(m[2], depth)
		}
	}
	return known[0]
}

func allows(ranges, version string, depth int) bool {
	for _, m := range bound.FindAllStringSubmatch(ranges, -1) {
		if !meets(version, m[1], m[2], depth) {
			return false
		}
	}
	return true
}

// meets tells whether a version of some depth may be chosen under one bound.
func meets(version, operator, limit string, depth int) bool {
	order := compare(version, limit)
	switch operator {
	case ">=", ">":
		return order >= 0
	case "<":
		return order < 0 || order == 0 && finer(limit, depth)
	case "<=":
		return order <= 0
	case "!=":
		return order != 0 || len(parts(limit)) > depth
	case "^":
		return order >= 0 && compare(version, cutTo(limit, 1)) == 0
	case "~=", "~>": // the last number may grow
		return order >= 0 && compare(version, cutTo(limit, max(1, len(parts(limit))-1))) == 0
	}
	return order == 0
}

// finer tells whether a limit is finer than what a tag tells apart: <20.5 does not exclude 20.
func finer(limit string, depth int) bool {
	numbers := parts(limit)
	for _, n := range numbers[min(len(numbers), depth):] {
		if n > 0 {
			return true
		}
	}
	return false
}

func cutTo(version string, depth int) string {
	fields := strings.Split(version, ".")
	return strings.Join(fields[:min(len(fields), depth)], ".")
}

// asdf is the version of a tool in .tool-versions, "" when it names none.
func asdf(f folder, tools ...string) string {
	for line := range strings.SplitSeq(f.read(".tool-versions"), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		for _, tool := range tools {
			if fields[0] == tool {
				return fields[1]
			}
		}
	}
	return ""
}
