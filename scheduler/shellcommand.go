package scheduler

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// shellEnv is the job's environment without what the secret store gave it, and the names of that.
func (s *Scheduler) shellEnv(place ShellPlace) (env []wire.Var, withheld []string, err error) {
	l := place.at
	vars, err := s.wanted(&place.p, l.build, &place.t, place.pj)
	if err != nil {
		return nil, nil, err
	}
	last, secret := winners(vars), secretNames(vars)
	env = append(s.builtins(&place.p, l, place.pj, &place.t), s.builtBefore(l.build, place.pj)...)
	if place.At == ShellFailed {
		env = append(env, wire.Var{Name: "CODEBUILD_BUILD_SUCCEEDING", Value: "0"})
	}
	for i, v := range vars {
		switch {
		case last[v.name] != i:
		case v.sealed != nil && doesWithout(l.build, v.sealed, s.askVault(context.Background(), l.build, v.sealed.ref)):
		case v.sealed != nil || secret[v.name]:
			withheld = append(withheld, v.name)
		default:
			env = append(env, wire.Var{Name: v.name, Value: v.value})
		}
	}
	slices.Sort(withheld)
	return env, withheld, nil
}

// toolsPath is where the tools of CodeBuild's are that jobs call.
const toolsPath = "/codebuild/user/bin"

// Scripts that put the tools on the PATH, which only the sandbox knows whole, and become what was asked for.
const (
	enterShell   = "PATH=" + toolsPath + ":$PATH; export PATH; if command -v bash >/dev/null 2>&1; then exec bash; fi; exec /bin/sh"
	enterCommand = "PATH=" + toolsPath + ":$PATH; export PATH; exec \"$@\""
)

func (s *Scheduler) shellCommand(place ShellPlace, c ShellCommand, env []wire.Var) runner.ShellCommand {
	out := runner.ShellCommand{
		Mark: rand.Text(), Args: []string{"/bin/sh", "-c", enterShell}, User: runAsOf(place),
		TTY: c.TTY, Cols: c.Cols, Rows: c.Rows,
	}
	if len(c.Args) > 0 {
		out.Args = append([]string{"/bin/sh", "-c", enterCommand, "runner-shell"}, c.Args...)
	}
	if c.TTY && c.Term != "" {
		env = append(env, wire.Var{Name: "TERM", Value: c.Term})
	}
	values := make(map[string]string, len(env)) // of two, programs differ in which they take
	for _, v := range env {
		values[v.Name] = v.Value
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out.Env = append(out.Env, name+"="+values[name])
	}
	return out
}

// runAsOf is the user of the phase that runs, or that failed; "" is root.
func runAsOf(place ShellPlace) string {
	phases := place.at.attempt.Phases
	for _, done := range phases {
		if done.Status == Succeeded {
			continue
		}
		for _, p := range place.pj.Phases {
			if strings.EqualFold(p.Name, done.Name) {
				return p.RunAs
			}
		}
	}
	return ""
}
