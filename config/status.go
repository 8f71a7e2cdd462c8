package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Status says what a forge is told of a project's builds: statuses of commits.
type Status struct {
	Per     string `yaml:"per" json:"per,omitempty"`         // StatusPerBuild (default), StatusPerJob, StatusOff
	Context string `yaml:"context" json:"context,omitempty"` // the status's name; default DefaultStatusContext
}

// Which statuses a forge is told: one for each build, besides those one for each job, or none.
const (
	StatusPerBuild = "build"
	StatusPerJob   = "job"
	StatusOff      = "off"
)

// When a pull request gets a comment on its build.
const (
	CommentOff       = "off"
	CommentOnFailure = "on-failure"
	CommentAlways    = "always"
)

// DefaultStatusContext is what a status is called. Required checks are listed by this name at the forge.
const DefaultStatusContext = "runner/{project}"

// maxContext bounds the name of a status: forges take 255 characters, and a job's name follows.
const maxContext = 200

// placeholder is a part of Status.Context that stands for something.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// Wanted tells whether the forge is to be told anything.
func (s Status) Wanted() bool { return s.Per != StatusOff }

// ContextOf is the name of a build's status. The event is the kind of the build's trigger.
func (s Status) ContextOf(project, event string) string {
	return strings.NewReplacer("{project}", project, "{event}", event).Replace(cmp.Or(s.Context, DefaultStatusContext))
}

// Comments tells whether pull requests get comments at all.
func (p *Project) Comments() bool { return p.Comment == CommentOnFailure || p.Comment == CommentAlways }

// checkStatus checks what forges are told.
func (p *Project) checkStatus(f *faults) {
	if p.Status.Per != "" {
		f.oneOf("status.per", p.Status.Per, StatusPerBuild, StatusPerJob, StatusOff)
	}
	if p.Comment != "" {
		f.oneOf("comment", p.Comment, CommentOff, CommentOnFailure, CommentAlways)
	}
	context := p.Status.Context
	if strings.ContainsFunc(context, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(context) > maxContext {
		f.add("status.context", "write runner/{project}", "a status's name is one line of at most %d bytes", maxContext)
	}
	for _, part := range placeholder.FindAllString(context, -1) {
		if !slices.Contains([]string{"{project}", "{event}"}, part) {
			f.add("status.context", "write {project} or {event}", "%q stands for nothing", clip(part))
		}
	}
}
