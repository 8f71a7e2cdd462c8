//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// codeYAML is CodeBuild's code for a file that asks for what there is not.
const codeYAML = "YAML_FILE_ERROR"

// runtimesFile is where the image keeps the table of its runtimes.
var runtimesFile = wire.RuntimesFile

// maxRuntimeVersion bounds a version after variables were expanded, in bytes.
const maxRuntimeVersion = 128

// selectRuntimes runs what sets up the runtimes of install.runtime-versions, at the beginning of INSTALL. failure and
// code say what failed the phase, and are empty when nothing did; an error means that the job cannot go on.
func (p *phases) selectRuntimes(ctx context.Context, phase string) (failure, code string, err error) {
	if phase != wire.PhaseInstall || len(p.job.Runtimes) == 0 {
		return "", "", nil
	}
	table, err := readRuntimes(runtimesFile)
	if errors.Is(err, fs.ErrNotExist) {
		table, err = nil, nil // the daemon looks into the image, where our own directory may lie over it
	}
	if err != nil {
		p.log.say("Skipping install of runtimes. The table of this build image cannot be used: %v", err)
		return "", "", nil
	}
	want, err := p.wantedRuntimes(ctx)
	if err == nil {
		var answer wire.Answer
		answer, err = p.requests.ask(ctx, wire.Request{Runtimes: &wire.RuntimesRequest{File: table, Want: want}}, nil)
		switch {
		case errors.Is(err, errUnanswered):
			p.log.say("Skipping install of runtimes: no daemon answered for %s, so the build goes on with those that the image has selected", requestPatience)
			return "", "", nil
		case err != nil:
		case answer.Error != "":
			err = mistake("%s", answer.Error)
		case answer.Runtimes != nil && answer.Runtimes.NoTable:
			p.log.say("Skipping install of runtimes. Runtime version selection is not supported by this build image")
			return "", "", nil
		case answer.Runtimes != nil:
			return p.installRuntimes(ctx, answer.Runtimes.Selected)
		}
	}
	var client *clientError
	if !errors.As(err, &client) {
		return "", "", err
	}
	failure = p.log.masker.String(client.message)
	p.fail(wire.Done{Reason: "runtime_versions", Phase: wire.PhaseInstall, Message: "selecting runtimes: " + failure})
	return failure, codeYAML, nil
}

// readRuntimes reads the table of the image.
func readRuntimes(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table, err := io.ReadAll(io.LimitReader(f, wire.MaxRuntimesFile+1))
	if err == nil && len(table) > wire.MaxRuntimesFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, wire.MaxRuntimesFile)
	}
	return table, err
}

// wantedRuntimes expands the variables in the versions.
func (p *phases) wantedRuntimes(ctx context.Context) ([]wire.Var, error) {
	var texts []string
	for _, r := range p.job.Runtimes {
		texts = append(texts, r.Value)
	}
	values, err := p.values(ctx, "install.runtime-versions", texts)
	if err != nil {
		return nil, err
	}
	var want []wire.Var
	for _, r := range p.job.Runtimes {
		version := strings.TrimSpace(expandVars(r.Value, values))
		if version == "" || len(version) > maxRuntimeVersion {
			return nil, mistake("install.runtime-versions: %s is %q, which is %q after variables were expanded; expected a version", r.Name, r.Value, wire.Cut(version))
		}
		want = append(want, wire.Var{Name: r.Name, Value: version})
	}
	return want, nil
}

// installRuntimes runs the commands of each runtime in the job's shell, up to the first that fails.
func (p *phases) installRuntimes(ctx context.Context, selected []wire.Runtime) (failure, code string, err error) {
	for _, r := range selected {
		p.log.say("Selecting '%s' runtime version '%s' based on manual selections...", r.Name, r.Version)
	}
	for _, r := range selected {
		for i, text := range r.Commands {
			failure, err := p.installCommand(ctx, r, i, text)
			if err != nil || failure != "" {
				return failure, codeCommand, err
			}
		}
	}
	return "", "", nil
}

// installCommand runs one command of a runtime. The runtime's variables are there from its first command to its last,
// or for each by itself where every command has a shell of its own.
func (p *phases) installCommand(ctx context.Context, r wire.Runtime, i int, text string) (failure string, err error) {
	first, last := i == 0 || p.shell.fresh, i == len(r.Commands)-1 || p.shell.fresh
	if first {
		if err := p.setAside(ctx, r.Env); err != nil {
			return "", err
		}
	}
	exit, err := p.command(ctx, wire.CommandBegan{Phase: wire.PhaseInstall, Index: i, Text: text, At: time.Now().UnixNano()})
	if err != nil {
		return "", err
	}
	if exit != 0 {
		failure = p.failedCommand(wire.PhaseInstall, text, exit)
	}
	if failure != "" || last {
		err = p.setBack(ctx, r.Env)
	}
	return failure, err
}

// setAside sets the variables of a runtime's commands, and keeps those of the job that have their names.
func (p *phases) setAside(ctx context.Context, env []wire.Var) error {
	return p.eachRuntimeVar(ctx, env, func(v wire.Var) string {
		return fmt.Sprintf("__runner_had_%[1]s=${%[1]s+1}\n__runner_old_%[1]s=${%[1]s-}\nexport %[1]s=%[2]s\n", v.Name, quote(v.Value))
	})
}

// setBack undoes setAside.
func (p *phases) setBack(ctx context.Context, env []wire.Var) error {
	return p.eachRuntimeVar(ctx, env, func(v wire.Var) string {
		return fmt.Sprintf("if [ -n \"$__runner_had_%[1]s\" ]; then %[1]s=$__runner_old_%[1]s; else unset %[1]s; fi\nunset __runner_had_%[1]s __runner_old_%[1]s\n", v.Name)
	})
}

// eachRuntimeVar runs lines for each variable in the job's shell.
func (p *phases) eachRuntimeVar(ctx context.Context, env []wire.Var, lines func(wire.Var) string) error {
	var all strings.Builder
	for _, v := range env {
		if v.Name != "" && nameAt(v.Name) == v.Name {
			all.WriteString(lines(v))
		}
	}
	if all.Len() == 0 {
		return nil
	}
	_, err := p.shell.ask(ctx, all.String())
	if errors.Is(err, errEnded) { // one of them is read-only, say; a new shell has what could be set
		return nil
	}
	return err
}
