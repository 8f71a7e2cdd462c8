package scheduler

import (
	"maps"
	"slices"
	"strconv"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/secrets"
)

// variable is one variable that a layer sets: with a value, or with the name of one in the vault.
type variable struct {
	name   string
	value  string
	sealed *sealed // nil: the value is plain
}

// sealed is where a variable's value lies.
type sealed struct {
	ref     secrets.Ref
	what    string // "parameter" or "secret"
	place   string // where it is named, for people: "buildspec.yml:12"
	project bool   // by the project's settings, not by the buildspec
}

// variables lists what is laid over CodeBuild's own variables, in the order in which later ones win: the buildspec's,
// the project's, the batch entry's, the build's parameters, the trigger's. CodeBuild does not say where a batch entry's stand; they are nearer
// to the job than the project's settings, and a matrix whose axes a project could undo would be none.
func variables(p *Project, b *Build, t *Trigger, pj *buildspec.Job) []variable {
	var out []variable
	for _, v := range pj.Env {
		out = append(out, variable{name: v.Name, value: v.Value})
	}
	for _, v := range pj.Parameters {
		out = append(out, variable{v.Name, "", &sealed{secrets.Ref{Name: v.From}, "parameter", placeOf(pj, v.Line), false}})
	}
	for _, v := range pj.Secrets {
		ref := secrets.Ref{Name: v.Secret, Key: v.Key, Stage: v.Stage, Version: v.Version}
		out = append(out, variable{v.Name, "", &sealed{ref, "secret", placeOf(pj, v.Line), false}})
	}
	out = append(out, projectVariables(p)...)
	for _, v := range pj.BatchEnv {
		out = append(out, variable{name: v.Name, value: v.Value})
	}
	out = append(out, parameterVariables(b)...)
	return append(out, plain(t.Override.Env)...)
}

func projectVariables(p *Project) []variable {
	out := plain(p.Env)
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, variable{name, "", &sealed{secrets.Ref{Name: p.Parameters[name]}, "parameter", "parameter-store of project " + p.Name, true}})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		r, err := buildspec.ParseSecretRef(p.Secrets[name])
		if err != nil {
			r = buildspec.SecretRef{Secret: p.Secrets[name]} // an unchecked row: the vault will not know it
		}
		ref := secrets.Ref{Name: r.Secret, Key: r.Key, Stage: r.Stage, Version: r.Version}
		out = append(out, variable{name, "", &sealed{ref, "secret", "secrets-manager of project " + p.Name, true}})
	}
	return out
}

func plain(values map[string]string) (out []variable) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, variable{name: name, value: values[name]})
	}
	return out
}

func placeOf(pj *buildspec.Job, line int) string {
	if line == 0 {
		return pj.Buildspec
	}
	return pj.Buildspec + ":" + strconv.Itoa(line)
}

// winners returns, by name, the place of the variable that wins in a list.
func winners(vars []variable) map[string]int {
	out := make(map[string]int, len(vars))
	for i := range vars {
		out[vars[i].name] = i
	}
	return out
}

// secretNames are the names that any layer takes from the vault. Whatever value wins, it is masked.
func secretNames(vars []variable) map[string]bool {
	out := make(map[string]bool)
	for _, v := range vars {
		if v.sealed != nil {
			out[v.name] = true
		}
	}
	return out
}
