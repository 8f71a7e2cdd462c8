package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/secrets"
)

// reasonSecrets ends a build whose parameters and secrets cannot be had.
const reasonSecrets = "secrets"

// subject is a build as the vault knows it.
func subject(b *Build) secrets.Subject {
	return secrets.Subject{Project: b.Project, Ref: b.Ref, Trusted: b.Trusted, Fork: b.Fork, Build: b.ID()}
}

// wanted returns a job's variables in their order without those from the vault that a later layer sets, which are not
// asked for. The names in the references of the others are complete.
func (s *Scheduler) wanted(p *Project, b *Build, t *Trigger, pj *buildspec.Job) (vars []variable, err error) {
	vars = variables(p, b, t, pj)
	last := winners(vars)
	lookup := plainLookup(s.steadyBuiltins(p, b, t, pj), vars)
	var errs []error
	for i := range vars {
		v := &vars[i]
		if v.sealed == nil || last[v.name] != i {
			continue
		}
		if v.sealed.ref.Name, err = expand(v.sealed.ref.Name, lookup); err != nil {
			errs = append(errs, fmt.Errorf("%s: the name of the %s for %s: %w", v.sealed.place, v.sealed.what, v.name, err))
		}
	}
	return vars, errors.Join(errs...)
}

// maxSecretProblems bounds what one message lists.
const maxSecretProblems = 10

// checkSecrets asks the vault, before a job runs, whether the build may have all that its jobs name. It adds warnings
// to the build for what it does without.
func (s *Scheduler) checkSecrets(ctx context.Context, p *Project, t *Trigger, b *Build, jobs []Job) *planFailure {
	answers := make(map[secrets.Ref]error)
	problems, status := []string{}, Failed
	told := make(map[string]bool)
	for i := range jobs {
		if jobs[i].State == JobEnded {
			continue // taken over, or refused
		}
		vars, err := s.wanted(p, b, t, &b.Plan.Jobs[i])
		if err != nil {
			problems = tellOnce(problems, told, err.Error())
			continue
		}
		last := winners(vars)
		for k, v := range vars {
			if v.sealed == nil || last[v.name] != k {
				continue
			}
			ref := v.sealed.ref
			if _, asked := answers[ref]; !asked {
				answers[ref] = s.askVault(ctx, b, ref)
			}
			switch err := answers[ref]; {
			case err == nil:
			case doesWithout(b, v.sealed, err):
				b.Warnings = tellOnce(b.Warnings, told, fmt.Sprintf("%s: %s is not set: %v", v.sealed.place, v.name, err))
			default:
				if !userFault(err) {
					status = Fault
				}
				// The vault's words come first: people search for CodeBuild's "Parameter does not exist".
				problems = tellOnce(problems, told, fmt.Sprintf("%s: %v (for the variable %s)", v.sealed.place, err, v.name))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	if rest := len(problems) - maxSecretProblems; rest > 0 {
		problems = append(problems[:maxSecretProblems], fmt.Sprintf("and %d more", rest))
	}
	return &planFailure{status: status, reason: reasonSecrets, message: strings.Join(problems, "\n")}
}

func tellOnce(list []string, told map[string]bool, text string) []string {
	if told[text] {
		return list
	}
	told[text] = true
	return append(list, text)
}

// errNoVault is the answer to a build that names a value where there is no store.
var errNoVault = errors.New("there is no secret store here; give the value with -e NAME=VALUE, or send the build to a daemon that has one")

func (s *Scheduler) askVault(ctx context.Context, b *Build, ref secrets.Ref) error {
	if s.vault == nil {
		return errNoVault
	}
	return s.vault.Check(ctx, subject(b), ref)
}

// userFault tells whether an answer of the vault is about what was asked for, not about the store.
func userFault(err error) bool {
	return errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrForbidden) || errors.Is(err, errNoVault)
}

// doesWithout tells whether a build goes on without a value. What the project's settings name is not the business of
// an untrusted build, which did not ask for it; what its own buildspec names, it cannot do without.
func doesWithout(b *Build, v *sealed, err error) bool {
	return v.project && !b.Trusted && errors.Is(err, secrets.ErrForbidden)
}

// openSecrets gives a job's variables their values, in their order, and the values that must be masked, also beside an
// error those that can be had. Values rest in no row and in no log: they go to the agent and to the masks alone.
func (s *Scheduler) openSecrets(ctx context.Context, p *Project, b *Build, t *Trigger, pj *buildspec.Job) (env []wire.Var, mask []string, err error) {
	vars, err := s.wanted(p, b, t, pj)
	if err != nil {
		return nil, nil, err
	}
	last, secret := winners(vars), secretNames(vars)
	masked := make(map[string]bool)
	var errs []error
	for i, v := range vars {
		if v.sealed != nil && last[v.name] != i {
			continue
		}
		if v.sealed != nil {
			if s.vault == nil {
				return nil, nil, errNoVault
			}
			v.value, err = s.vault.Value(ctx, subject(b), v.sealed.ref)
			if doesWithout(b, v.sealed, err) {
				continue
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %s for the variable %s (%s): %w", v.sealed.what, v.sealed.ref.Name, v.name, v.sealed.place, err))
				continue
			}
		}
		if secret[v.name] && last[v.name] == i && v.value != "" {
			masked[v.value] = true
		}
		env = append(env, wire.Var{Name: v.name, Value: v.value})
	}
	return env, slices.Sorted(maps.Keys(masked)), errors.Join(errs...)
}

// formerSecrets are the values that a job which is adopted may have been given before its secrets were set anew: they
// are masked too.
func (s *Scheduler) formerSecrets(ctx context.Context, p *Project, b *Build, t *Trigger, pj *buildspec.Job) (mask []string) {
	vars, err := s.wanted(p, b, t, pj)
	if err != nil || s.vault == nil {
		return nil
	}
	last, secret := winners(vars), secretNames(vars)
	for i, v := range vars {
		if v.sealed == nil || last[v.name] != i || !secret[v.name] || v.sealed.ref.Stage != "" || v.sealed.ref.Version != "" {
			continue
		}
		ref := v.sealed.ref
		ref.Stage = "AWSPREVIOUS"
		if value, err := s.vault.Value(ctx, subject(b), ref); err == nil && value != "" && !slices.Contains(mask, value) {
			mask = append(mask, value)
		}
	}
	return mask
}
