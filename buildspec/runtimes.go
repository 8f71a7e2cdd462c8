package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// Runtime is one runtime of an image, selected by runtime-versions, with the commands that set it up.
type Runtime struct {
	Name     string
	Version  string // as the table has it, or as it was asked for where the table's default entry serves
	Commands []string
	Env      []Var // set for the commands
}

// runtimesFile is the table's name in messages: where images of CodeBuild have it.
const runtimesFile = "/codebuild/image/config/runtimes.yml"

// defaultVersion is the entry of a runtime's versions that serves all others. Its commands find the version asked for
// in the variable VERSION.
const (
	defaultVersion  = "default"
	versionVariable = "VERSION"
)

// SelectRuntimes finds in an image's runtimes.yml what sets up the wanted runtimes: names with versions, variables
// in them expanded. A version is one of the table, "20.x" or "latest" for the highest that fits, or, where the table
// has a default entry, any other one. Runtimes that a wanted one requires come before it. The error says which
// runtimes or versions there are, or which two exclude each other; for a table that cannot be read it is an *Error.
// The table comes from an image that anyone may have made, and costs no more to read than a buildspec.
func SelectRuntimes(file []byte, want []Var) ([]Runtime, error) {
	table, err := parseRuntimes(file)
	if err != nil {
		return nil, err
	}
	s := &selection{table: table, wanted: map[string]string{}, chosen: map[string]string{}}
	for _, w := range want {
		if before, twice := s.wanted[w.Name]; twice && before != w.Value {
			return nil, fmt.Errorf("the runtime %s is wanted as %s and as %s: name one version", shorten(w.Name), shorten(before), shorten(w.Value))
		}
		s.wanted[w.Name] = w.Value
	}
	for _, w := range want {
		if err := s.add(w.Name, w.Value, 0); err != nil {
			return nil, err
		}
	}
	return s.all, nil
}

// selection gathers runtimes, each once.
type selection struct {
	table  []runtimeEntry
	wanted map[string]string // versions as they were asked for
	chosen map[string]string // versions of the table
	all    []Runtime
}

// add takes a runtime and, before it, what it requires.
func (s *selection) add(name, asked string, depth int) error {
	if _, done := s.chosen[name]; done {
		return nil
	}
	if depth > len(s.table) {
		return fmt.Errorf("the runtimes of %s require one another without end, at %s: choose another image", runtimesFile, shorten(name))
	}
	entry, err := s.find(name)
	if err != nil {
		return err
	}
	v, r, err := entry.choose(asked)
	if err != nil {
		return err
	}
	for _, need := range v.requires {
		if err := s.require(name+" "+r.Version, need, depth); err != nil {
			return err
		}
	}
	s.chosen[name] = v.name
	s.all = append(s.all, r)
	return nil
}

// require takes one runtime that another one needs, in the version that was asked for or else in the first that does.
func (s *selection) require(who string, need requirement, depth int) error {
	if asked, ok := s.wanted[need.name]; ok {
		entry, err := s.find(need.name)
		if err != nil {
			return err
		}
		v, r, err := entry.choose(asked)
		if err != nil {
			return err
		}
		if !slices.Contains(need.versions, v.name) {
			return fmt.Errorf("the runtimes %s and %s %s exclude each other: %s needs %s %s; name one of these versions, or leave %s out",
				who, need.name, r.Version, who, need.name, strings.Join(need.versions, " or "), need.name)
		}
		return s.add(need.name, asked, depth+1)
	}
	if chosen, ok := s.chosen[need.name]; ok {
		if slices.Contains(need.versions, chosen) {
			return nil
		}
		return fmt.Errorf("the runtime %s needs %s %s, and another one has chosen %s: leave one of the two out",
			who, need.name, strings.Join(need.versions, " or "), chosen)
	}
	return s.add(need.name, need.versions[0], depth+1)
}

func (s *selection) find(name string) (runtimeEntry, error) {
	var names []string
	for _, e := range s.table {
		if e.name == name {
			return e, nil
		}
		names = append(names, e.name)
	}
	return runtimeEntry{}, fmt.Errorf("this image has no runtime %q; it has %s%s", shorten(name), listed(names), meant(name, names))
}

// choose is the version that was asked for.
func (e runtimeEntry) choose(asked string) (runtimeVersion, Runtime, error) {
	if v, ok := e.match(asked); ok {
		return v, Runtime{Name: e.name, Version: v.name, Commands: v.commands}, nil
	}
	for _, v := range e.versions {
		if v.name == defaultVersion && demanded.MatchString(asked) && asked != "latest" && asked != defaultVersion {
			version := strings.TrimSuffix(asked, ".x")
			if e.name == "java" {
				version = strings.TrimPrefix(version, "corretto") // the table's commands want the number alone
			}
			return v, Runtime{Name: e.name, Version: version, Commands: v.commands, Env: []Var{{Name: versionVariable, Value: version}}}, nil
		}
	}
	names := e.names()
	return runtimeVersion{}, Runtime{}, fmt.Errorf("this image has no version %q of the runtime %s; it has %s%s",
		shorten(asked), e.name, listed(names), meant(asked, names))
}

func listed(names []string) string {
	const most = 30
	if len(names) > most {
		names = append(slices.Clip(names[:most]), cut)
	}
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = shorten(n)
	}
	if len(short) == 0 {
		return "none"
	}
	return strings.Join(short, ", ")
}

func meant(word string, names []string) string {
	if near := nearest(word, names); near != "" {
		return fmt.Sprintf(". Did you mean %s?", near)
	}
	return ""
}
