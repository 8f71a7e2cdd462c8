package config

import (
	"regexp"
	"strings"
)

// Concurrency has builds wait for each other: of those that name the same group, in whatever project, so many run at once.
type Concurrency struct {
	Group string `yaml:"group" json:"group,omitempty"` // a name, with {project} and {branch} for those of the build
	Limit int    `yaml:"limit" json:"limit,omitempty"` // builds at once; default 1
}

// maxConcurrency bounds how many builds of one group may run at once.
const maxConcurrency = 1000

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	groupName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._/@:+-]*$`)
)

func (c Concurrency) check(f *faults) {
	if c.Group == "" {
		if c.Limit != 0 {
			f.add("concurrency.group", "name one: deploy, or deploy-{branch}", "there is a limit and no group")
		}
		return
	}
	for _, word := range placeholder.FindAllString(c.Group, -1) {
		if word != "{project}" && word != "{branch}" {
			f.add("concurrency.group", "there are {project} and {branch}", "%q stands for nothing", clip(word))
			return
		}
	}
	if len(c.Group) > maxGroupNameSize || !groupName.MatchString(c.name("x", "x")) {
		f.add("concurrency.group", "write deploy, or deploy-{branch}", "%q is no name of a group", clip(c.Group))
	}
	if c.Limit < 0 || c.Limit > maxConcurrency {
		f.add("concurrency.limit", "1 is the default", "%d is not between 1 and %d", c.Limit, maxConcurrency)
	}
}

func (c Concurrency) name(project, branch string) string {
	return strings.NewReplacer("{project}", project, "{branch}", branch).Replace(c.Group)
}

// Name is the group of a build of a ref; "" for none. The branch is the ref's short name: main, v1.2 of a tag, pull/7 of a
// pull request. It is known only where the ref is, which ok tells.
func (c Concurrency) Name(project, ref string) (name string, ok bool) {
	if strings.Contains(c.Group, "{branch}") && ref == "" {
		return "", false
	}
	return c.name(project, shortRef(ref)), true
}

func shortRef(ref string) string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if short, ok := strings.CutPrefix(ref, prefix); ok {
			return short
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(ref, "refs/"), "/head"), "/from")
}
