//go:build linux

package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/agent/mask"
	"github.com/runner-ci/runner/runner/wire"
)

// Names of the variables through which the agent speaks to the tools it puts on PATH.
const (
	shardIndexVar = "RUNNER_SHARD_INDEX"
	shardCountVar = "RUNNER_SHARD_COUNT"
	shellVar      = "RUNNER_SHELL"

	// CodeBuild's own, kept up to date before each command.
	succeedingVar = "CODEBUILD_BUILD_SUCCEEDING"
	lastExitVar   = "CODEBUILD_LAST_EXIT"
)

// defaultPath is what a job gets whose image sets no PATH: what Docker gives.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// backgroundGrace is what processes that a job left running get between TERM and KILL when it has ended.
const backgroundGrace = 500 * time.Millisecond

// runJob runs a job from its first phase to its result. It returns when no process of the job is left.
func runJob(ctx context.Context, job *wire.Job, s *spool, r *reaper, home string, q *requests, resumes <-chan wire.Resume) wire.Done {
	log := &joblog{spool: s, masker: mask.New(secretsOf(job)), limit: job.Limits.LogBytes}
	if err := check(job); err != nil {
		return wire.Done{Status: wire.StatusFault, Reason: "agent_error", Message: err.Error()}
	}
	out, err := newOutput(log.masker.Stream(), log.output)
	if err != nil {
		return wire.Done{Status: wire.StatusFault, Reason: "agent_error", Message: err.Error()}
	}
	defer out.close()
	p := &phases{job: job, spool: s, log: log, out: out, requests: q, resumes: resumes}
	spareOnce()
	p.early, p.unstrained = newEarly(job, s), sandboxStrain()
	defer func() { p.breaks.close(); p.shards.close() }()
	done, ok := p.prepare(home, r)
	if ok {
		done = p.run(ctx)
	}
	if why, stopped := context.Cause(ctx).(*ending); stopped {
		endAll(why.grace)
		done.Reports = p.reportsAfterEnd(why)
	} else {
		p.shell.end()
		endRest()
	}
	p.shell.sweep()
	out.settle()
	if err := s.failure(); err != nil {
		return wire.Done{Status: wire.StatusFault, Reason: "agent_error", Message: cannotRecord(err), Phase: done.Phase}
	}
	done.Message = log.masker.String(done.Message)
	return done
}

// check refuses a job that only a mistake of the daemon's can have made.
func check(job *wire.Job) error {
	order := []string{wire.PhaseInstall, wire.PhasePreBuild, wire.PhaseBuild, wire.PhasePostBuild}
	for _, phase := range job.Phases {
		i := slices.Index(order, phase.Name)
		if i < 0 {
			return fmt.Errorf("the job names phase %q twice, out of order, or it is none that an agent runs", phase.Name)
		}
		order = order[i+1:]
		if err := checkOnFailure(phase); err != nil {
			return err
		}
	}
	if !filepath.IsAbs(job.Dir) {
		return fmt.Errorf("the job's directory %q is not absolute", job.Dir)
	}
	return nil
}

// prepare lays out what the commands need: tools on PATH, the environment, the shell. What the image lacks is
// the user's business, so it fails the job and is no fault.
func (p *phases) prepare(home string, r *reaper) (wire.Done, bool) {
	dirs, err := makeDirs(home)
	if err != nil {
		return p.unprepared(wire.StatusFault, "agent_error", fmt.Sprintf("no place for the agent's files: %v; the sandbox needs a directory that can be written, /tmp say", err))
	}
	if info, err := os.Stat(p.job.Dir); err != nil || !info.IsDir() {
		return p.unprepared(wire.StatusFault, "agent_error", fmt.Sprintf("the workspace %s is not a directory", p.job.Dir))
	}
	name := p.job.Shell
	if name == "" {
		name = "sh"
	}
	p.patching = beginPatch(p.job)
	env := environment(os.Environ(), p.job, dirs.bin)
	path, err := lookup(name, env["PATH"])
	if err != nil {
		return p.unprepared(wire.StatusFailed, "shell_missing", fmt.Sprintf("the shell %q is not in this image: install it there, choose another image, or take env.shell out of the buildspec (every job needs at least sh)", name))
	}
	if err := linkTools(dirs.bin); err != nil {
		p.log.say("codebuild-tests-run and its sisters are not available: %v", err)
	}
	env[shellVar] = path
	if at := p.holdAtBreakpoints(dirs); at != "" {
		env[breakpointVar] = at
	}
	if at := p.serveShards(dirs); at != "" {
		env[testsVar] = at
	}
	p.shell = newShell(path, name, dirs.shell, p.job.Dir, flatten(env), p.out.write, r)
	p.engine = p.newEngine(dirs, env)
	p.shell.fresh = p.job.Version == "0.1"
	p.shell.fileBytes = p.job.Limits.FileBytes
	return wire.Done{}, true
}

func (p *phases) unprepared(status wire.Status, reason, message string) (wire.Done, bool) {
	p.log.say("%s", message)
	return wire.Done{Status: status, Reason: reason, Message: message, Phase: wire.PhaseInstall}, false
}

// environment lays the job's variables over the image's.
func environment(base []string, job *wire.Job, bin string) map[string]string {
	env := map[string]string{}
	for _, pair := range base {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	env["CODEBUILD_SRC_DIR"] = job.Dir
	if job.Sharding != "" {
		env[shardingVar] = job.Sharding
	}
	for _, v := range job.Env {
		if v.Name != "" && !strings.ContainsAny(v.Name, "=\x00") && !strings.Contains(v.Value, "\x00") {
			env[v.Name] = v.Value
		}
	}
	if env["PATH"] == "" {
		env["PATH"] = defaultPath
	}
	env["PATH"] = bin + ":" + env["PATH"]
	env["PWD"] = job.Dir
	giveCredentials(env, job.Git)
	env[succeedingVar], env[lastExitVar] = "1", "0"
	env[shardIndexVar] = strconv.Itoa(job.Shard.Index)
	env[shardCountVar] = strconv.Itoa(max(1, job.Shard.Count))
	return env
}

func flatten(env map[string]string) []string {
	all := make([]string, 0, len(env))
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

// dirs are the directories of ours that the job sees.
type dirs struct {
	bin   string // on PATH: the tools
	temp  string // what the agent's tools and helpers keep while the job runs
	shell string // the shell's files
}

// makeDirs makes our directories below home, as CodeBuild has them, or below a temporary directory when home
// cannot be written.
func makeDirs(home string) (dirs, error) {
	d, err := makeDirsIn(home)
	if err == nil {
		return d, nil
	}
	temp, err2 := os.MkdirTemp("", "codebuild-")
	if err2 != nil {
		return dirs{}, fmt.Errorf("%w; %w", err, err2)
	}
	if err := os.Chmod(temp, 0o711); err != nil { // for phases with run-as
		return dirs{}, err
	}
	return makeDirsIn(temp)
}

func makeDirsIn(home string) (dirs, error) {
	d := dirs{bin: filepath.Join(home, "user/bin")}
	if err := os.MkdirAll(d.bin, 0o755); err != nil {
		return d, err
	}
	if err := syscall.Access(d.bin, 2 /* W_OK */); err != nil {
		return d, &os.PathError{Op: "writing to", Path: d.bin, Err: err}
	}
	d.temp = filepath.Join(home, tempDir)
	if err := os.MkdirAll(d.temp, 0o755); err != nil {
		return d, err
	}
	var err error
	d.shell, err = os.MkdirTemp(d.temp, "shell")
	return d, err
}
