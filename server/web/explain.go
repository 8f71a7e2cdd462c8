package web

import (
	"cmp"
	"slices"

	"github.com/runner-ci/runner/client"
)

const (
	// mostSteps is how many steps of what decided a build's length its page names, mostSaved how many savings. runner explain has all.
	mostSteps, mostSaved = 3, 3
	// leastExplained is how many seconds a build takes whose length is worth a question, leastSaved how much a saving comes to.
	leastExplained, leastSaved = 1, 0.5
)

// decided is what decided how long a build took, in short: the steps that most of it was, and what would have saved some.
type decided struct {
	Steps   []decidedStep
	Savings []client.Saving
	Command string // of the terminal, which tells all of it
}

// decidedStep is a step of the path, of a job where the build has several.
type decidedStep struct {
	Word, Of string
	Seconds  float64
	Percent  int
}

// explain asks what decided how long a build took that has ended; nil where there is nothing to say, or the visitor may not know.
func (s *Site) explain(v *visit, b client.Build) *decided {
	if b.Ended.IsZero() || b.Seconds < leastExplained {
		return nil
	}
	e, err := s.Client.Explain(v.Context(), b.ID)
	if err != nil {
		return nil // the page is whole without
	}
	return decide(e, len(b.Jobs))
}

// decide shortens an explanation.
func decide(e client.Explanation, jobs int) *decided {
	out := decided{Steps: longestSteps(e, jobs), Command: "runner explain " + e.Build}
	for _, saving := range e.Savings {
		if saving.Seconds >= leastSaved && len(out.Savings) < mostSaved {
			out.Savings = append(out.Savings, saving)
		}
	}
	if len(out.Steps) == 0 {
		return nil
	}
	return &out
}

// longestSteps are those of which each took a tenth of the build or more, the longest first; without what nobody can do anything about.
func longestSteps(e client.Explanation, jobs int) (out []decidedStep) {
	for _, step := range e.Path {
		if step.Seconds <= 0 || step.Seconds < e.Seconds/10 || step.Kind == client.StepBetween || step.Kind == client.StepMany {
			continue
		}
		d := decidedStep{Word: step.Word(), Seconds: step.Seconds, Percent: int(100*step.Seconds/e.Seconds + 0.5)}
		if jobs > 1 {
			d.Of = step.Name
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(x, y decidedStep) int { return cmp.Compare(y.Seconds, x.Seconds) })
	return out[:min(len(out), mostSteps)]
}
