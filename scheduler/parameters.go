package scheduler

import (
	"reflect"
	"slices"

	"github.com/runner-ci/runner/config"
)

// changes tells whether a trigger asks for anything but its project's settings. Parameters that have their defaults, as those of a
// retry may, are the project's.
func (o Override) changes(p *config.Project) bool {
	if len(o.Env) == 0 {
		o.Env = nil
	}
	if slices.Equal(o.Parameters, p.Defaults()) {
		o.Parameters = nil
	}
	return !reflect.ValueOf(o).IsZero()
}

// parametersOf are the parameters of a build that a trigger makes: what the trigger chose, if it is one that may choose and so
// was completed when it was accepted, and else the project's defaults. A retry has those of the build that it retries.
func parametersOf(p *Project, t *Trigger) []config.Chosen {
	switch t.Kind {
	case KindManual, KindSchedule, KindRetry:
		return t.Override.Parameters
	}
	return p.Defaults()
}

// parameterVariables are a build's parameters as variables of its jobs.
func parameterVariables(b *Build) (out []variable) {
	for _, c := range b.Parameters {
		out = append(out, variable{name: c.Variable, value: c.Value})
	}
	return out
}
