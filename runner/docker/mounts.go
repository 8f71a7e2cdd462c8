package docker

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/runner-ci/runner/runner"
)

// mounts are all mounts of a sandbox. The engine mounts parents before children.
func (e *Engine) mounts(spec runner.SandboxSpec, mode workspace, a *agentBinary) ([]mount.Mount, error) {
	all := []mount.Mount{a.mount(Root, true)}
	if mode.onDisk() {
		if mode == workspaceOverlay {
			all = append(all, e.volume(spec.ID, mode, "", sourceDir, map[string]string{"type": "overlay", "device": "overlay", "o": sources(spec).options()}))
		}
		all = append(all,
			bind(filepath.Join(spec.Dir, "spool"), spoolDir, false),
			bind(filepath.Join(spec.Dir, "objects"), objectsDir, true))
	} else {
		all = append(all,
			e.volume(spec.ID, mode, "", sourceDir, nil),
			e.volume(spec.ID, mode, "-spool", spoolDir, nil),
			e.volume(spec.ID, mode, "-objects", objectsDir, nil))
	}
	if spec.Privileged {
		// An engine's layers cannot lie on the container's own overlay.
		all = append(all, e.volume(spec.ID, mode, "-engine", engineDir, nil))
	}
	if e.ca != nil && mode.onDisk() {
		file, err := e.caPath()
		if err != nil {
			return nil, err
		}
		all = append(all, bind(file, caFile, true))
	}
	for _, m := range spec.Mounts {
		all = append(all, bind(m.Source, m.Target, true))
	}
	return all, nil
}

// bind shows one path of the engine's host, without what is mounted below it: engines before Docker 25 would leave
// such submounts writable below a read-only one.
func bind(source, target string, readOnly bool) mount.Mount {
	return mount.Mount{
		Type: mount.TypeBind, Source: source, Target: target, ReadOnly: readOnly,
		BindOptions: &mount.BindOptions{NonRecursive: true, Propagation: mount.PropagationRPrivate},
	}
}

// volume is a volume of the sandbox's own, by the stock driver, which the engine makes with the container. It is not
// filled from the image.
func (e *Engine) volume(id string, mode workspace, suffix, target string, driver map[string]string) mount.Mount {
	opts := &mount.VolumeOptions{NoCopy: true, Labels: e.labels(id, mode)}
	if driver != nil {
		opts.DriverConfig = &mount.Driver{Name: "local", Options: driver}
	}
	return mount.Mount{Type: mount.TypeVolume, Source: containerName(id) + suffix, Target: target, VolumeOptions: opts}
}

// layers are an overlay. Paths are the daemon's; the first lower one is on top.
type layers struct {
	lower       []string
	upper, work string
	tame        bool // setuid programs and devices in it are without effect
}

// options makes renames of directories work as on a plain file system (redirect_dir), whatever the kernel's defaults,
// and keeps the layers free to be used again by the kept sandbox (index).
func (l layers) options() string {
	return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on,index=off", strings.Join(l.lower, ":"), l.upper, l.work)
}

// sources are the layers of a sandbox's workspace, with more of them between the snapshot and what belongs over it.
func sources(spec runner.SandboxSpec, more ...string) layers {
	return layers{lower: append(more, lower(spec)), upper: filepath.Join(spec.Dir, "upper"), work: filepath.Join(spec.Dir, "work")}
}

// checkMounts refuses mounts that would undo the sandbox: over our own directories, or of the engine's socket.
func (e *Engine) checkMounts(spec runner.SandboxSpec) error {
	seen := map[string]bool{}
	for _, m := range spec.Mounts {
		target := path.Clean(m.Target)
		switch {
		case !path.IsAbs(m.Source) || !path.IsAbs(m.Target):
			return fmt.Errorf("mount %s on %s: both paths must be absolute", m.Source, m.Target)
		case beneath(target, Root) || beneath(Root, target) || beneath(target, caDir) || beneath(caDir, target):
			return fmt.Errorf("mount %s on %s: %s and %s belong to the sandbox; choose another target", m.Source, m.Target, Root, caDir)
		case beneath(target, "/proc") || beneath(target, "/sys") || beneath(target, "/dev"):
			return fmt.Errorf("mount %s on %s: the kernel's own directories cannot be covered; choose another target", m.Source, m.Target)
		case spec.Privileged && beneath(engineDir, target):
			return fmt.Errorf("mount %s on %s: in a privileged job %s belongs to the job's own engine; choose another target", m.Source, m.Target, engineDir)
		case seen[target]:
			return fmt.Errorf("mount %s on %s: another mount has that target", m.Source, m.Target)
		}
		seen[target] = true
		for _, sock := range e.sockets() {
			if beneath(sock, resolved(m.Source)) {
				return fmt.Errorf("mount %s on %s: it holds the engine's socket %s, which would give every job the whole machine; mount what is needed below it", m.Source, m.Target, sock)
			}
		}
	}
	return nil
}

// sockets are where the engine can be spoken to on its own host.
func (e *Engine) sockets() []string {
	all := []string{"/run/docker.sock", "/run/containerd/containerd.sock"}
	if u, err := url.Parse(e.api.DaemonHost()); err == nil && u.Scheme == "unix" {
		all = append(all, resolved(u.Path))
	}
	return all
}

// resolved follows the symbolic links of a path as far as this machine has it; /var/run is such a link. Where it
// has not, the common link is followed by hand, for the sake of engines elsewhere.
func resolved(p string) string {
	p = path.Clean(p)
	if real, err := filepath.EvalSymlinks(p); err == nil {
		return real
	}
	if beneath(p, "/var/run") {
		return path.Clean("/run/" + strings.TrimPrefix(p, "/var/run"))
	}
	return p
}

// beneath tells whether p is dir, or is below it. Both are clean and absolute.
func beneath(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}
