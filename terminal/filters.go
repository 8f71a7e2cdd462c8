package terminal

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/client"
)

// filtering tells the settings of a project that choose what is built, by set.
func filtering(f client.Filtering, set func(name, value string)) {
	for i, group := range f.Filters {
		words := make([]string, len(group))
		for k, x := range group {
			words[k] = FilterText(x)
		}
		set(fmt.Sprintf("filters[%d]", i), strings.Join(words, "; "))
	}
	set("paths", strings.Join(f.Paths, " "))
	set("paths-ignore", strings.Join(f.PathsIgnore, " "))
	set("skip-words", f.SkipWords)
	if f.CancelSuperseded == "false" {
		set("cancel-superseded", "no")
	} else {
		set("cancel-superseded", f.CancelSuperseded)
	}
	if f.Concurrency.Group != "" {
		set("concurrency", fmt.Sprintf("%s, %d at once", f.Concurrency.Group, f.Concurrency.Limit))
	}
}

// FilterText writes a filter as it is written on a command line: TYPE=PATTERN, or TYPE!=PATTERN where what matches is kept out.
func FilterText(x client.Filter) string {
	sign := "="
	if x.ExcludeMatchedPattern {
		sign = "!="
	}
	return x.Type + sign + x.Pattern
}

// fate is what became of a trigger, in one line.
func fate(x client.Trigger) string {
	parts := []string{strings.Join(x.Builds, " ")}
	if parts[0] != "" && x.ApprovedBy != "" {
		parts[0] += " (approved by " + oneLine(x.ApprovedBy) + ")"
	}
	switch {
	case len(x.Builds) > 0 || len(x.Skipped) > 1 && differ(x.Skipped):
		for _, s := range x.Skipped {
			parts = append(parts, oneLine(s.Project+" skipped: "+s.Reason))
		}
	default:
		parts = append(parts, oneLine(x.Reason))
	}
	for _, note := range x.Notes {
		parts = append(parts, oneLine(note))
	}
	if parts[0] == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, "; ")
}

func differ(skipped []client.Skipped) bool {
	for _, s := range skipped[1:] {
		if s.Reason != skipped[0].Reason {
			return true
		}
	}
	return false
}
