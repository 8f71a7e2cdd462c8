package buildspec

import "fmt"

// maxPlanBytes bounds the text of a plan over all of its jobs. In memory the jobs share what they have in common, but
// the plan is stored with its build, each job complete in itself, and aliases, shards and matrices can multiply a
// short file.
const maxPlanBytes = 16 << 20

// What is stored besides texts: for each job, and for each item of its lists.
const (
	jobBytes  = 320
	itemBytes = 32
)

// checkSize judges the size of so many jobs.
func (p *planner) checkSize(jobs int) {
	if p.size <= maxPlanBytes {
		return
	}
	one := p.size / jobs // of those that were made: the others were spared
	jobs = max(jobs, p.total)
	hint := "move long scripts into files of the repository"
	if jobs > 1 {
		hint += fmt.Sprintf(", or make fewer jobs: one of them takes about %d bytes", one)
	}
	at := mark{}
	if p.spec.Batch != nil {
		at = p.spec.Batch.at
	}
	p.fail(at, complaint{
		message: fmt.Sprintf("the plan of this build has about %d bytes over %d jobs, and may have %d", one*jobs, jobs, maxPlanBytes),
		hint:    hint,
	})
}

// size is about what a job takes in the state, in bytes.
func (j Job) size() int {
	n := jobBytes + stored(j.Image) + len(j.Buildspec) + varBytes(j.Env) + textBytes(j.Exported)
	for _, p := range j.Parameters {
		n += stored(p.Name) + stored(p.From) + itemBytes
	}
	for _, s := range j.Secrets {
		n += stored(s.Name) + stored(s.Secret) + stored(s.Key) + stored(s.Stage) + stored(s.Version) + 2*itemBytes
	}
	for _, p := range j.Phases {
		n += commandBytes(p.Commands) + commandBytes(p.Finally) + varBytes(p.Runtimes)
		if p.Retry != nil {
			n += stored(p.Retry.Pattern) + itemBytes
		}
	}
	for _, r := range j.Reports {
		n += stored(r.Group) + stored(r.BaseDirectory) + textBytes(r.Files) + 2*itemBytes
	}
	if j.Artifacts != nil {
		n += j.Artifacts.size()
	}
	for _, a := range j.Secondary {
		n += a.size()
	}
	n += textBytes(j.Patch)
	if c := j.Cache; c != nil {
		n += stored(c.Key) + textBytes(c.Paths) + textBytes(c.Fallback)
	}
	for _, s := range j.Services {
		n += s.size()
	}
	for _, i := range j.Images {
		n += i.size()
	}
	return n
}

func (i Image) size() int {
	n := 2*itemBytes + len(i.Name) + stored(i.Dockerfile) + stored(i.Context) + stored(i.Target) + stored(i.Push)
	return n + varBytes(i.Args) + varBytes(i.Labels) + textBytes(i.Secrets) + textBytes(i.Tags)
}

func (a Artifacts) size() int {
	return len(a.ID) + stored(a.Name) + stored(a.BaseDirectory) + textBytes(a.Files) + textBytes(a.ExcludePaths) + 2*itemBytes
}

func (s Service) size() int {
	n := len(s.Name) + stored(s.Image) + textBytes(s.Command) + textBytes(s.Entrypoint) + varBytes(s.Env) + itemBytes
	if s.Health != nil {
		n += stored(s.Health.Command) + 2*itemBytes
	}
	return n
}

func varBytes(vars []Var) int {
	n := 0
	for _, v := range vars {
		n += stored(v.Name) + stored(v.Value) + itemBytes
	}
	return n
}

func textBytes(texts []string) int {
	n := 0
	for _, t := range texts {
		n += stored(t) + itemBytes/4
	}
	return n
}

func commandBytes(commands []Command) int {
	n := 0
	for _, c := range commands {
		n += stored(c.Text) + itemBytes
	}
	return n
}

// stored is how many bytes a text takes as JSON, which writes some characters as six.
func stored(text string) int {
	n := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '<' || c == '>' || c == '&':
			n += 5
		case c == '"' || c == '\\' || c == '\n' || c == '\t':
			n++
		case c < ' ':
			n += 5
		}
	}
	return n
}
