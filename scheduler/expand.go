package scheduler

import (
	"fmt"
	"strings"
)

// expand puts values in the place of ${NAME} and $NAME in the name of a parameter. It happens before the job runs, so
// that only what is known by then can stand in it: nothing that a command sets. A dollar before anything else stands
// for itself.
func expand(text string, lookup func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after := variableName(rest)
		if name == "" {
			b.WriteByte('$')
			text = rest
			continue
		}
		value, err := lookup(name)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

// variableName reads NAME or {NAME} from the beginning of a text, and returns what follows it. Without one the name is
// empty.
func variableName(text string) (name, after string) {
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		name, after, closed := strings.Cut(inner, "}")
		if n := nameLength(name); !closed || n == 0 || n < len(name) {
			return "", ""
		}
		return name, after
	}
	n := nameLength(text)
	return text[:n], text[n:]
}

// nameLength is how many bytes at the beginning of a text can be the name of a variable.
func nameLength(text string) int {
	for i, r := range text {
		letter := r == '_' || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(text)
}

// plainLookup finds the values that can stand in the name of a parameter: CodeBuild's own that are known before the
// build, and what the layers set.
func plainLookup(own []variable, vars []variable) func(string) (string, error) {
	all := append(append([]variable{}, own...), vars...)
	last := winners(all)
	return func(name string) (string, error) {
		i, ok := last[name]
		switch {
		case !ok:
			return "", fmt.Errorf("no variable %s is known before the build begins; set it under env.variables, in the project's env or with -e", name)
		case all[i].sealed != nil:
			return "", fmt.Errorf("the variable %s is itself a %s, whose value may stand in no name", name, all[i].sealed.what)
		}
		return all[i].value, nil
	}
}
