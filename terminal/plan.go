package terminal

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
)

// maxRows bounds the jobs that a plan shows; a matrix can have thousands.
const maxRows = 50

// Plan writes the jobs of a build for people: in which order they run, then what each kind of job does, then the
// warnings.
func Plan(o *Output, plan *buildspec.Plan, v tree.Verdict) {
	groups := groupJobs(plan.Jobs)
	o.Lines(planHeader(plan, v, groups), "")
	planTable(o, groups, v)
	for _, k := range kindsOf(groups) {
		o.Lines("", k.title())
		k.facts.Print(o)
	}
	if len(v.Problems) > 0 {
		o.Lines("")
		Problems(o, v.Problems)
	}
}

// planHeader says what the plan is: "buildspec.yml: graph of 5 jobs in 3 steps, fast-fail".
func planHeader(plan *buildspec.Plan, v tree.Verdict, groups []jobGroup) string {
	text := oneLine(v.File) + ": "
	if plan.Batch != "" {
		text += plan.Batch + " of "
	}
	text += Count(len(plan.Jobs), "job", "jobs")
	if steps := groups[len(groups)-1].step + 1; steps > 1 {
		text += " in " + Count(steps, "step", "steps")
	}
	if !named(groups) {
		text += " in the project's image"
	}
	if plan.FastFail {
		text += ", stopped at the first that fails (fast-fail)"
	}
	return text
}

func planTable(o *Output, groups []jobGroup, v tree.Verdict) {
	t := Table{Head: []string{"step", "job"}, Right: map[int]bool{0: true}}
	columns := []planColumn{
		{"after", func(g jobGroup) string { return fitting(dependencies(g.first, groups)) }},
		{"image", imageOf(groups)},
		{"compute", func(g jobGroup) string { return strings.TrimPrefix(g.first.Compute, "BUILD_GENERAL1_") }},
		{"variables", func(g jobGroup) string { return title(assignments(g.first.BatchEnv)) }},
		{"", traits},
		{"buildspec", otherFile(groups, v)},
	}
	shown := groups[:min(len(groups), maxRows)]
	var used []planColumn
	for _, c := range columns {
		for _, g := range shown {
			if c.cell(g) != "" {
				used = append(used, c)
				t.Head = append(t.Head, c.head)
				break
			}
		}
	}
	for _, g := range shown {
		row := []string{strconv.Itoa(g.step + 1), title(g.label())}
		for _, c := range used {
			row = append(row, oneLine(c.cell(g)))
		}
		t.Row(row...)
	}
	t.Print(o)
	if more := len(groups) - len(shown); more > 0 {
		o.Lines("      … and " + Count(more, "more job", "more jobs") + " (--format json has them all)")
	}
}

// planColumn is a column that is left out when no job has anything to say in it.
type planColumn struct {
	head string
	cell func(jobGroup) string
}

// named tells whether any job names its image. For those that do not, the project's setting decides.
func named(groups []jobGroup) bool {
	return slices.ContainsFunc(groups, func(g jobGroup) bool { return g.first.Image != "" })
}

// imageOf is a column for the images of jobs, when any job names one.
func imageOf(groups []jobGroup) func(jobGroup) string {
	if !named(groups) {
		return func(jobGroup) string { return "" }
	}
	return func(g jobGroup) string {
		if g.first.Image == "" {
			return "(project's)"
		}
		return ending(g.first.Image)
	}
}

// otherFile is a column for the files of jobs, when they come from several: their paths in the repository.
func otherFile(groups []jobGroup, v tree.Verdict) func(jobGroup) string {
	several := false
	for _, g := range groups {
		several = several || g.first.Buildspec != groups[0].first.Buildspec
	}
	return func(g jobGroup) string {
		switch {
		case !several:
			return ""
		case g.first.Buildspec == v.File:
			return v.Path
		}
		return ending(g.first.Buildspec)
	}
}

// ending shortens a name whose end tells most, an image or a path.
func ending(name string) string {
	if runes := []rune(oneLine(name)); len(runes) > maxTitle {
		return "…" + string(runes[len(runes)-maxTitle+1:])
	}
	return oneLine(name)
}

// traits are what else is particular about a job.
func traits(g jobGroup) string {
	var all []string
	if g.first.Privileged {
		all = append(all, "privileged")
	}
	if n := g.first.Network; n != "" {
		all = append(all, "network "+n)
	}
	if g.first.IgnoreFailure {
		all = append(all, "may fail")
	}
	if g.first.DebugSession {
		all = append(all, "debug session")
	}
	if t := g.first.EnvType; t != "" && t != "LINUX_CONTAINER" {
		all = append(all, t)
	}
	return strings.Join(all, ", ")
}

func assignments(vars []buildspec.Var) string {
	all := make([]string, len(vars))
	for i, v := range vars {
		all[i] = v.Name + "=" + v.Value
	}
	return strings.Join(all, " ")
}

// fitting joins as many names as fit a column, and counts the others.
func fitting(names []string) string {
	text := ""
	for i, name := range names {
		if i > 0 && len(text)+len(name) > maxTitle {
			return text + " and " + strconv.Itoa(len(names)-i) + " more"
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// firstFew joins names, and counts those beyond the first few.
func firstFew(names []string, few int) string {
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:few], ", ") + " and " + strconv.Itoa(len(names)-few) + " more"
}

// PlanJSON writes a plan with the order of its jobs. The plan is nil when the verdict is not that the file is valid.
func PlanJSON(w io.Writer, plan *buildspec.Plan, v tree.Verdict) error {
	v.Jobs = nil // the plan has them
	out := struct {
		tree.Verdict
		Plan  *buildspec.Plan `json:"plan,omitempty"`
		Steps [][]string      `json:"steps,omitempty"` // ids of jobs, by when they can start
	}{Verdict: v}
	if plan != nil {
		once := *plan
		once.Warnings = nil // they are the verdict's problems
		out.Plan, out.Steps = &once, inSteps(plan.Jobs)
	}
	return JSON(w, out)
}
