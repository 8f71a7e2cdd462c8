package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/docker"
)

// trials is how many of an engine's images are tried: one without a shell says nothing about the engine.
const trials = 3

// instance is whose the sandboxes of the doctor are: the same in every run on this data, so that each clears up after
// one that was killed.
func (p *patient) instance() string {
	sum := sha256.Sum256([]byte(p.cfg.Data))
	return "doctor-" + hex.EncodeToString(sum[:6])
}

// ward is the directory of the doctor's sandboxes, on the disk where the daemon has its own. A daemon looks into
// neither.
func (p *patient) ward() string {
	if p.base == p.cfg.Data {
		return filepath.Join(p.base, "doctor")
	}
	return filepath.Join(p.base, ".runner-"+p.instance())
}

// sandbox has a sandbox run one command over a small tree, as a build does.
func (p *patient) sandbox(ctx context.Context, look func() (runner.Executor, error)) []Finding {
	ex, err := look()
	if err != nil || ex.Ping(ctx) != nil {
		p.left.add("a sandbox: the engine does not answer")
		return nil
	}
	leave, err := p.enter(ctx, ex)
	if err != nil {
		what, mend := parted(err, "run the doctor as the user of the daemon")
		return []Finding{failed(mend, "no sandbox could be tried: %s", what)}
	}
	defer leave()
	engine, isDocker := ex.(*docker.Engine)
	if !isDocker {
		return []Finding{p.outcome(p.try(ctx, ex, ""))}
	}
	images := p.images(ctx, engine)
	if len(images) == 0 {
		return []Finding{warned("docker pull an image of your builds, or name one: runner doctor --image busybox", "the engine has no image to try a sandbox in")}
	}
	var first Finding
	for i, ref := range images {
		found := p.outcome(p.try(ctx, ex, ref))
		if found.Level == OK {
			return append([]Finding{found}, p.workspace(ctx, engine)...)
		}
		if i == 0 {
			first = found
		}
	}
	return []Finding{first}
}

// images are those to try, the first that works counts.
func (p *patient) images(ctx context.Context, engine *docker.Engine) (refs []string) {
	if p.Image != "" {
		return []string{p.Image}
	}
	for _, project := range p.cfg.Projects {
		ref := cmp.Or(p.cfg.ImageFor(project.Image), project.Image)
		if ref == "" || slices.Contains(refs, ref) {
			continue
		}
		if _, err := engine.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: "never"}); err == nil {
			refs = append(refs, ref)
		}
	}
	if small, err := engine.Smallest(ctx); err == nil {
		refs = append(refs, small...)
	}
	return refs[:min(len(refs), trials)]
}

// errBusy means that another doctor is at work.
var errBusy = errors.New("another doctor is at work on this data; wait for it")

// enter takes the ward and clears it of what a doctor left that was killed. Who enters leaves it as it was.
func (p *patient) enter(ctx context.Context, ex runner.Executor) (leave func(), err error) {
	dir := filepath.Join(p.ward(), ex.Engine())
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, errBusy
	}
	p.clear(ctx, ex)
	return func() {
		defer lock.Close()
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		p.clear(tidy, ex)
		_ = os.Remove(dir)
		_ = os.Remove(p.ward()) // when it was the last
	}, nil
}

// clear removes every sandbox of ours from an engine and the disk.
func (p *patient) clear(ctx context.Context, ex runner.Executor) {
	ids, err := ex.List(ctx)
	for _, id := range ids {
		err = errors.Join(err, ex.Remove(ctx, id), runner.RemoveTree(p.room(id)))
	}
	err = errors.Join(err, runner.RemoveTree(filepath.Join(p.ward(), "tree")))
	for _, dir := range []string{"sandboxes", "agent"} {
		if entries, rerr := os.ReadDir(filepath.Join(p.ward(), dir)); rerr == nil {
			for _, e := range entries {
				err = errors.Join(err, runner.RemoveTree(filepath.Join(p.ward(), dir, e.Name())))
			}
			_ = os.Remove(filepath.Join(p.ward(), dir))
		}
	}
	if err != nil {
		p.Logger.Warn("the doctor could not clear up; its next run tries again", "directory", p.ward(), "error", err)
	}
}

func (p *patient) room(id string) string { return filepath.Join(p.ward(), "sandboxes", id) }

// attempted is what came of one sandbox.
type attempted struct {
	image string
	took  time.Duration
	err   error
	log   string
}

// try makes a sandbox, has it run its command, and removes it.
func (p *patient) try(ctx context.Context, ex runner.Executor, ref string) (a attempted) {
	began := time.Now()
	a.image = ref
	defer func() { a.took = time.Since(began) }()
	spec := runner.SandboxSpec{ID: "doctor-" + strings.ToLower(rand.Text()[:10])}
	spec.Dir, spec.Tree = p.room(spec.ID), filepath.Join(p.ward(), "tree")
	if ref != "" {
		if spec.Image, a.err = ex.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: "never"}); a.err != nil {
			return a
		}
	}
	if a.err = layOut(spec); a.err != nil {
		return a
	}
	defer func() {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := errors.Join(ex.Remove(tidy, spec.ID), runner.RemoveTree(spec.Dir)); err != nil && a.err == nil {
			a.err = fmt.Errorf("it ran, and could not be removed: %w", err)
		}
	}()
	if a.err = ex.Create(ctx, spec); a.err == nil {
		a.log, a.err = converse(ctx, ex, spec.ID)
	}
	return a
}

// proof is a file of the tree: a job that sees it has its workspace.
const proof = "doctor.txt"

// layOut makes what the daemon makes before it asks for a sandbox.
func layOut(spec runner.SandboxSpec) error {
	for _, dir := range []string{filepath.Join(spec.Dir, "upper"), filepath.Join(spec.Dir, "objects"), spec.Tree} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(spec.Dir, "spool"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(spec.Tree, proof), []byte("A sandbox that sees this has its workspace.\n"), 0o644)
}

// outcome puts an attempt into words.
func (p *patient) outcome(a attempted) Finding {
	in := "a process"
	if a.image != "" {
		in = a.image
	}
	var image *runner.ImageError
	switch {
	case a.err == nil:
		return well("%s ran a command in one, and it is gone again, in %v", in, a.took.Round(10*time.Millisecond))
	case errors.As(a.err, &image) && p.Image != "":
		return failed("docker pull it, or name another with --image", "%v", a.err)
	}
	what, mend := parted(a.err, "see what the engine says of it (journalctl -u docker), and docs/operations.md")
	if a.log != "" {
		what += ": " + a.log
	}
	return failed(mend, "%s ran no command in one: %s", in, what)
}

// workspace tells how sandboxes come by their files here.
func (p *patient) workspace(ctx context.Context, engine *docker.Engine) []Finding {
	kind, why := engine.Workspace(ctx)
	switch {
	case why != nil:
		return []Finding{warned("where you can, run the daemon as root on the engine's host (docs/sandbox.md)", "workspaces and caches are copied, which takes longer the larger they are: %v", why)}
	case kind == "overlay":
		return []Finding{warned("run the daemon as root in the engine's own PID namespace, without a container around it", "the engine mounts the workspaces, because the daemon cannot mount in its containers; no sandbox is made ahead of its job")}
	}
	return []Finding{well("workspaces are mounted (%s), whatever their size", kind)}
}
