package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

// Given are a project's variables, as they were when a build was planned. Of those that the vault has there are the names.
type Given struct {
	Env        map[string]string `json:"env,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Secrets    map[string]string `json:"secrets,omitempty"`
}

func givenBy(p *Project) *Given {
	return &Given{maps.Clone(p.Env), maps.Clone(p.Parameters), maps.Clone(p.Secrets)}
}

// The sources of a variable, in the order in which later ones win.
const (
	FromRunner    = "runner"    // CodeBuild's own variables
	FromBuildspec = "buildspec" // env of the buildspec
	FromProject   = "project"   // the project's settings
	FromBatch     = "batch"     // the batch entry
	FromParameter = "parameter" // a parameter of the build
	FromTrigger   = "trigger"   // who asked for the build
)

// Environment is what a job was given.
type Environment struct {
	Plan      *buildspec.Job
	Image     NamedImage
	Services  []NamedImage // in the plan's order
	Variables []Variable   // by name, those that won
}

// NamedImage is an image as the plan names it, and which one that was.
type NamedImage struct{ Name, ID, Digest string }

// Variable is one variable of a job, without the value where that is sealed.
type Variable struct {
	Name   string
	Value  string
	From   string
	Sealed string // name of the parameter or secret; its value is masked in logs, whichever source won
}

// Environment tells what a job of a build was given.
func (s *Scheduler) Environment(b *Build, job string) (Environment, error) {
	if b.Plan == nil {
		return Environment{}, fmt.Errorf("the plan of build %s: %w", b.ID(), ErrNotFound)
	}
	pj, err := planJob(b, job)
	if err != nil {
		return Environment{}, err
	}
	e := Environment{Plan: pj, Image: imageAsNamed(b, pj.Image), Variables: s.shownVariables(b, pj)}
	for _, service := range pj.Services {
		e.Services = append(e.Services, imageAsNamed(b, service.Image))
	}
	return e, nil
}

func imageAsNamed(b *Build, name string) NamedImage {
	return NamedImage{name, b.Images[name].ID, b.Images[name].Digest}
}

// shownVariables are a job's variables as they came to be: of all that set one, the last.
func (s *Scheduler) shownVariables(b *Build, pj *buildspec.Job) []Variable {
	p, err := s.Project(b.Project)
	if err != nil {
		p = Project{} // removed since
	}
	p.Env, p.Parameters, p.Secrets = nil, nil, nil
	if g := b.Given; g != nil {
		p.Env, p.Parameters, p.Secrets = g.Env, g.Parameters, g.Secrets
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil {
		t = Trigger{} // forgotten since
	}
	byName := map[string]Variable{}
	add := func(from string, vars []variable) {
		for _, v := range vars {
			shown := Variable{Name: v.name, Value: v.value, From: from, Sealed: byName[v.name].Sealed}
			if v.sealed != nil {
				shown.Sealed = v.sealed.ref.Name
			}
			byName[v.name] = shown
		}
	}
	none := &Trigger{}
	bare := &Build{}
	add(FromRunner, s.steadyBuiltins(&p, b, &t, pj))
	add(FromBuildspec, variables(&Project{}, bare, none, &buildspec.Job{Buildspec: pj.Buildspec, Env: pj.Env, Parameters: pj.Parameters, Secrets: pj.Secrets}))
	add(FromProject, projectVariables(&p))
	add(FromBatch, variables(&Project{}, bare, none, &buildspec.Job{BatchEnv: pj.BatchEnv}))
	add(FromParameter, parameterVariables(b))
	add(FromTrigger, plain(t.Override.Env))
	for name, v := range byName {
		if v.Sealed != "" {
			v.Value = ""
			byName[name] = v
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
}
