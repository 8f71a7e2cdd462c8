package terminal

import (
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

// Parameters is the line that says which parameters a build has; none where it has none.
func Parameters(b client.Build) []string {
	if len(b.Parameters) == 0 {
		return nil
	}
	texts := make([]string, len(b.Parameters))
	for i, p := range b.Parameters {
		texts[i] = title(p.Name + "=" + p.Value)
	}
	return []string{"with " + strings.Join(texts, ", ")}
}

// parameterRows describes what builds of a project may be asked for, a row each.
func parameterRows(t *Table, settings map[string]client.ParameterSetting) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		p := settings[name]
		facts := []string{p.Type}
		if p.Type == "" {
			facts[0] = "string"
		}
		if len(p.Options) > 0 {
			facts = append(facts, "of "+strings.Join(p.Options, ", "))
		}
		if p.Pattern != "" {
			facts = append(facts, "like "+p.Pattern)
		}
		switch {
		case p.Required:
			facts = append(facts, "required")
		case p.Default != "":
			facts = append(facts, "default "+p.Default)
		}
		if p.Description != "" {
			facts = append(facts, p.Description)
		}
		t.Row("parameter", oneLine(name+": "+strings.Join(facts, "; ")))
	}
}
