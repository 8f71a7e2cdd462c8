package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// legacy are keys of version 0.1 and of people's habit, with what they are today.
var legacy = map[string]string{
	"environment_variables": "version 0.2 has env.variables instead",
	"plaintext":             "version 0.2 has env.variables instead",
	"script":                "commands are listed under phases.build.commands",
	"steps":                 "commands are listed under phases.build.commands",
	"timeout":               "limits of time are settings of the project",
	"compute-type":          entryHint,
	"privileged-mode":       entryHint,
	"ports":                 "a service is reached by its name, at the ports that it listens on",
	"environment":           "write variables: with NAME: value lines",
}

const entryHint = "entries of a batch have it in their env; for all jobs it is a setting of the project"

// advise is the hint for an unknown key: the nearest known one of its section, or the section where it belongs.
func advise(s section, name string) string {
	if near := nearest(name, s.supported()); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if hint := legacy[name]; hint != "" {
		return hint
	}
	for _, other := range allSections() {
		if strings.HasPrefix(other.name, "x-runner.") {
			continue // nobody looks for those who has not read of them
		}
		if _, ok := other.find(name, "0.2"); ok && other.name != s.name {
			return fmt.Sprintf("did you mean %s?", otherPath(other, name))
		}
	}
	return "known here: " + strings.Join(s.supported(), ", ")
}

// otherPath names a key of another section; of the four phases the one that everybody has.
func otherPath(s section, name string) string {
	if strings.HasPrefix(s.name, "phases.") && name != "runtime-versions" {
		return buildSection.path(name)
	}
	return s.path(name)
}

// nearest is the candidate that a misspelt word most likely means, "" if none is near.
func nearest(word string, candidates []string) string {
	const longest = 64 // no key is nearly as long, and the distance takes the product of both lengths
	if len(word) > longest {
		return ""
	}
	best, bestDistance := "", 0
	for _, c := range candidates {
		d := distance(flat(word), flat(c))
		if slices.Equal(words(word), words(c)) {
			d = 0 // the same words in another order: fail-fast, fast-fail
		}
		if d <= max(1, len(c)/3) && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// flat is a word without case and separators: onFailure, on_failure and on-failure are one.
func flat(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// words are the words of a key in alphabetical order.
func words(key string) []string {
	parts := strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	slices.Sort(parts)
	return parts
}

// distance counts the letters to insert, delete, replace or swap with a neighbour to make one word the other.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
