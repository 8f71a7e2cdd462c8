package runner

import (
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// SelectWith makes Runner.Runtimes of a function of package buildspec, which has types of its own.
func SelectWith(sel func(file []byte, want []buildspec.Var) ([]buildspec.Runtime, error)) func([]byte, []wire.Var) ([]wire.Runtime, error) {
	return func(file []byte, want []wire.Var) ([]wire.Runtime, error) {
		asked := make([]buildspec.Var, len(want))
		for i, v := range want {
			asked[i] = buildspec.Var(v)
		}
		found, err := sel(file, asked)
		if err != nil {
			return nil, err
		}
		out := make([]wire.Runtime, len(found))
		for i, r := range found {
			out[i] = wire.Runtime{Name: r.Name, Version: r.Version, Commands: r.Commands}
			for _, v := range r.Env {
				out[i].Env = append(out[i].Env, wire.Var(v))
			}
		}
		return out, nil
	}
}
