package terminal

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

// maxKinds bounds the kinds of job that a plan describes.
const maxKinds = 20

// jobKind is a set of jobs that do the same, so that it is told once.
type jobKind struct {
	names []string
	all   bool // every job of the plan
	more  int  // further kinds that are not described, of the last one
	facts *Table
}

// kindsOf sorts jobs by what they do.
func kindsOf(groups []jobGroup) []*jobKind {
	var kinds []*jobKind
	known := map[string]*jobKind{}
	plain := &Output{}
	for _, g := range groups {
		facts := factsOf(g.first)
		key := strings.Join(facts.lines(plain), "\n")
		k := known[key]
		if k == nil {
			k = &jobKind{facts: facts}
			known[key] = k
			kinds = append(kinds, k)
		}
		k.names = append(k.names, g.label())
	}
	if len(kinds) == 1 {
		kinds[0].all = true
	}
	if more := len(kinds) - maxKinds; more > 0 {
		kinds = kinds[:maxKinds]
		kinds[maxKinds-1].more = more
	}
	return kinds
}

func (k *jobKind) title() string {
	title := firstFew(k.names, 4)
	if k.all {
		title = "every job:"
	}
	if k.more > 0 {
		title += fmt.Sprintf(" (and %d more kinds of job, which --format json shows)", k.more)
	}
	return title
}

// factsOf are what a job does and leaves, a row each, those that there are.
func factsOf(job buildspec.Job) *Table {
	t := &Table{Indent: "  "}
	set := func(name, value string) {
		if value = shortened(value); value != "" {
			t.Row(name, value)
		}
	}
	for _, p := range job.Phases {
		set(p.Name, phaseFacts(p))
	}
	set("shell", otherThan(job.Shell, "sh"))
	set("version", otherThan(job.Version, "0.2"))
	set("variables", firstFew(names(job.Env, func(v buildspec.Var) string { return v.Name }), 8))
	set("parameters", firstFew(names(job.Parameters, func(p buildspec.Parameter) string { return p.Name }), 8))
	set("secrets", firstFew(names(job.Secrets, func(s buildspec.SecretRef) string { return s.Name }), 8))
	set("exports", firstFew(job.Exported, 8))
	for _, s := range job.Services {
		set("service", s.Name+" ("+s.Image+")")
	}
	for _, i := range job.Images {
		set("image", imageFacts(i))
	}
	for _, r := range job.Reports {
		set("report", r.Group+": "+below(r.BaseDirectory, r.Files)+" ("+r.Format+")")
	}
	if c := job.Cache; c != nil {
		set("cache", cacheFacts(*c))
	}
	if a := job.Artifacts; a != nil {
		set("artifacts", artifactFacts(*a))
	}
	for _, a := range job.Secondary {
		set("artifacts", a.ID+": "+artifactFacts(a))
	}
	if t.Len() == 0 {
		t.Row("nothing: its buildspec has no commands")
	}
	return t
}

func phaseFacts(p buildspec.Phase) string {
	var parts []string
	if len(p.Runtimes) > 0 {
		parts = append(parts, "runtimes "+assignments(p.Runtimes))
	}
	if n := len(p.Commands); n > 0 {
		parts = append(parts, Count(n, "command", "commands"))
	}
	if n := len(p.Finally); n > 0 {
		parts = append(parts, "finally "+Count(n, "command", "commands"))
	}
	if len(parts) == 0 {
		return ""
	}
	if p.RunAs != "" {
		parts = append(parts, "as "+p.RunAs)
	}
	if p.Retry != nil {
		parts = append(parts, fmt.Sprintf("on failure up to %s", Count(p.Retry.Count, "retry", "retries")))
	} else if p.OnFailure != "" {
		parts = append(parts, "on failure "+p.OnFailure)
	}
	return strings.Join(parts, ", ")
}

func cacheFacts(c buildspec.Cache) string {
	text := firstFew(c.Paths, 4)
	if c.Key != "" {
		text += " under " + c.Key
	}
	if c.Action != "" {
		text += " (" + c.Action + " only)"
	}
	return text
}

func artifactFacts(a buildspec.Artifacts) string {
	text := below(a.BaseDirectory, a.Files)
	if a.Name != "" {
		text += " as " + a.Name
	}
	if len(a.ExcludePaths) > 0 {
		text += " without " + firstFew(a.ExcludePaths, 4)
	}
	return text
}

// below names files with the directory that they are relative to.
func below(dir string, files []string) string {
	text := firstFew(files, 4)
	if dir != "" {
		text += " below " + dir
	}
	return text
}

func names[T any](all []T, name func(T) string) []string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = name(one)
	}
	return texts
}

func otherThan(value, usual string) string {
	if value == usual {
		return ""
	}
	return value
}

// maxFact is where a fact of a plan is cut, in runes.
const maxFact = 160

func shortened(text string) string {
	runes := []rune(oneLine(text))
	if len(runes) > maxFact {
		return string(runes[:maxFact-1]) + "…"
	}
	return string(runes)
}
