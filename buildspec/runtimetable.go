package buildspec

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// runtimeEntry is one runtime of an image's table.
type runtimeEntry struct {
	name     string
	versions []runtimeVersion // in the order of the table
}

type runtimeVersion struct {
	name     string
	requires []requirement
	commands []string
}

// requirement is another runtime that a version needs, in one of some versions.
type requirement struct {
	name     string
	versions []string // at least one
}

// demanded is what a version may look like that the default entry installs: its commands use it without quotes.
var demanded = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

// parseRuntimes reads a runtimes.yml: runtimes: name: versions: version: requires and commands. What else is in it
// is not looked at: it is not the user's file.
func parseRuntimes(file []byte) ([]runtimeEntry, error) {
	src, err := newSource(runtimesFile, file)
	if err != nil {
		return nil, err
	}
	rep := newReport(src)
	root, refused := read(rep)
	if refused != nil {
		return nil, refused
	}
	c := &checker{report: rep, spec: &Spec{}, places: map[string]mark{}}
	var table []runtimeEntry
	if root != nil && root.kind == mapping {
		if runtimes := root.get("runtimes"); runtimes != nil && runtimes.kind == mapping {
			for _, e := range runtimes.entries {
				table = append(table, c.runtime(e))
			}
		}
	}
	if len(table) == 0 && !rep.failed() {
		rep.fail(mark{}, complaint{
			message: "this table of the image has no runtimes",
			hint:    "use another image, or leave runtime-versions out",
		})
	}
	return table, rep.err()
}

func (c *checker) runtime(e entry) runtimeEntry {
	r := runtimeEntry{name: e.key}
	n, ok := c.block(e, "the runtime "+shorten(e.key))
	if !ok {
		return r
	}
	for _, part := range n.entries {
		if part.key != "versions" {
			continue
		}
		versions, ok := c.block(part, "versions")
		if !ok {
			continue
		}
		for _, v := range versions.entries {
			r.versions = append(r.versions, c.runtimeVersion(v))
		}
	}
	return r
}

func (c *checker) runtimeVersion(e entry) runtimeVersion {
	v := runtimeVersion{name: e.key}
	n, ok := c.block(e, "the version "+shorten(e.key))
	if !ok {
		return v
	}
	for _, part := range n.entries {
		switch part.key {
		case "commands":
			for _, command := range c.commands(part, "commands") {
				v.commands = append(v.commands, command.Text)
			}
		case "requires":
			needs, ok := c.block(part, "requires")
			if !ok {
				continue
			}
			for _, need := range needs.entries {
				if versions := c.texts(need, "requires."+shorten(need.key)); len(versions) > 0 {
					v.requires = append(v.requires, requirement{name: need.key, versions: versions})
				}
			}
		}
	}
	return v
}

// match is the version of the table that is asked for by its name, by "latest" or by a beginning: "20.x".
func (e runtimeEntry) match(asked string) (runtimeVersion, bool) {
	for _, v := range e.versions {
		if v.name == asked && asked != defaultVersion {
			return v, true
		}
	}
	for _, v := range e.versions {
		if isNumber(asked) && v.name == asked+".0" {
			return v, true // dotnet: 8
		}
	}
	beginning, open := strings.CutSuffix(asked, ".x")
	if !open && asked != "latest" {
		return runtimeVersion{}, false
	}
	var best runtimeVersion
	found := false
	for _, v := range e.versions {
		fits := v.name != defaultVersion && (!open || v.name == beginning || strings.HasPrefix(v.name, beginning+"."))
		if fits && (!found || newer(v.name, best.name)) {
			best, found = v, true
		}
	}
	return best, found
}

// names are the versions by name, with what the default entry means.
func (e runtimeEntry) names() []string {
	var names []string
	for _, v := range e.versions {
		if v.name != defaultVersion {
			names = append(names, v.name)
		}
	}
	return names
}

// newer compares versions number by number: 3.10 is newer than 3.9, corretto21 than corretto8. Of versions with
// different words the later in the alphabet is.
func newer(a, b string) bool {
	wordA, numbersA := versionParts(a)
	wordB, numbersB := versionParts(b)
	return cmp.Or(slices.Compare(numbersA, numbersB), cmp.Compare(wordA, wordB)) > 0
}

func versionParts(version string) (word string, numbers []int) {
	for _, part := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = 0 // longer than any version is
		}
		numbers = append(numbers, n)
	}
	return strings.TrimRight(version, "0123456789."), numbers
}
