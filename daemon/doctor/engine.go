package doctor

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/docker"
)

// skew is how far the engine's clock may be off. Nothing relies on clocks for order; certificates do, and people who
// read logs.
const skew = 5 * time.Second

// engineChecks look at each engine. Only the first of an engine's checks tells that it is down.
func (p *patient) engineChecks() (list []check) {
	for _, e := range p.cfg.Engines {
		look := sync.OnceValues(func() (runner.Executor, error) { return p.executor(e) })
		up := func(ctx context.Context) *docker.Engine {
			ex, _ := look()
			engine, ok := ex.(*docker.Engine)
			if !ok || engine.Ping(ctx) != nil {
				return nil
			}
			return engine
		}
		list = append(list, check{"engine " + e.ID, checkTime, func(ctx context.Context) []Finding { return p.engine(ctx, look) }},
			check{"sandbox on " + e.ID, sandboxTime, func(ctx context.Context) []Finding { return p.sandbox(ctx, look) }})
		if e.Type == "process" {
			continue
		}
		list = append(list, check{"firewall of " + e.ID, checkTime, func(ctx context.Context) []Finding { return p.firewall(ctx, e, up(ctx)) }})
		for _, r := range p.cfg.Registries {
			list = append(list, check{"registry " + r.Server + " by " + e.ID, checkTime, func(ctx context.Context) []Finding { return p.registry(ctx, r, up(ctx)) }})
		}
	}
	return list
}

// executor is an engine as the daemon has it, but for the firewall, where it would leave rules, and for the place of its sandboxes.
func (p *patient) executor(e config.Engine) (runner.Executor, error) {
	e.Firewall = "off"
	ex, err := daemon.Executor(p.cfg, e, p.ward(), p.instance(), p.Logger)
	if c, closes := ex.(io.Closer); closes && err == nil {
		p.mu.Lock()
		p.opened = append(p.opened, c)
		p.mu.Unlock()
	}
	return ex, err
}

func (p *patient) engine(ctx context.Context, look func() (runner.Executor, error)) []Finding {
	ex, err := look()
	if err != nil {
		what, mend := parted(err, "correct engines in the configuration")
		return []Finding{failed(mend, "%s", what)}
	}
	engine, ok := ex.(*docker.Engine)
	if !ok {
		return []Finding{warned("use it only where every job is trusted", "jobs run on the host itself, without isolation")}
	}
	m, err := engine.Examine(ctx)
	if err != nil {
		return []Finding{unreached(engine.Host(), err)}
	}
	out := append([]Finding{described(m)}, misgivings(m)...)
	return append(out, socket(engine.Host())...)
}

// unreached says why an engine does not answer. Its client has one sentence for several causes, so the socket is asked.
func unreached(host string, err error) Finding {
	if path, unix := strings.CutPrefix(host, "unix://"); unix {
		conn, derr := net.DialTimeout("unix", path, time.Second)
		if derr == nil {
			conn.Close()
		} else {
			err = derr
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return failed("run as root, or as a member of the group of "+strings.TrimPrefix(host, "unix://")+" (usermod -aG docker NAME, then log in again)",
			"%s may not be used by user %d: %v", host, os.Geteuid(), err)
	case errors.Is(err, fs.ErrNotExist):
		return failed("install or start Docker (systemctl start docker), or correct host of the engine", "nothing is at %s: %v", host, err)
	}
	what, mend := parted(err, "start it (systemctl start docker), or correct host of the engine")
	return failed(mend, "%s does not answer: %s", host, what)
}

func described(m docker.Machine) Finding {
	group := ""
	if m.Cgroup != "" {
		group = ", cgroup v" + m.Cgroup
	}
	return well("Docker %s answers: API %s, %s%s, runtime %s, kernel %s", m.Version, m.API, m.Storage, group, m.Runtime, m.Kernel)
}

// misgivings are what an engine does not do well.
func misgivings(m docker.Machine) (out []Finding) {
	switch driver, _, _ := strings.Cut(m.Storage, " "); driver {
	case "vfs":
		out = append(out, warned("use overlay2 (docker info says why it was not chosen)", "storage driver vfs copies the image for every container, which takes time and disk"))
	case "devicemapper", "aufs":
		out = append(out, warned("use overlay2", "storage driver %s is no longer developed", driver))
	}
	if len(m.Unlimited) > 0 {
		out = append(out, warned("give the engine the cgroup controllers (docker info lists what is missing)", "it cannot limit %s of a job", strings.Join(m.Unlimited, ", ")))
	}
	if m.Ahead.Abs() > skew {
		way := "ahead of"
		if m.Ahead < 0 {
			way = "behind"
		}
		out = append(out, warned("set both clocks by NTP (timedatectl set-ntp true)", "its clock is %v %s ours", m.Ahead.Abs().Round(time.Second), way))
	}
	return out
}

// socket looks who may use the engine: whoever may is root on its machine.
func socket(host string) []Finding {
	u, err := url.Parse(host)
	if err != nil {
		return nil
	}
	if u.Scheme == "tcp" && os.Getenv("DOCKER_TLS_VERIFY") == "" && !(&patient{}).local(host) {
		return []Finding{warned("use TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or a tunnel to its socket", "%s is used without TLS: whoever reaches it is root there", host)}
	}
	if u.Scheme != "unix" {
		return nil
	}
	st, err := os.Stat(u.Path)
	if err == nil && st.Mode().Perm()&0o002 != 0 {
		return []Finding{failed("chmod o-rw "+u.Path, "%s may be used by every user of this machine, each of whom is root by that", u.Path)}
	}
	return nil
}

func (p *patient) firewall(ctx context.Context, e config.Engine, engine *docker.Engine) []Finding {
	switch {
	case e.Firewall == "off":
		return []Finding{warned("see to it yourself, as docs/sandbox.md#network says", "firewall is off: Runner keeps jobs from nothing on this machine's network")}
	case e.Network != "":
		return []Finding{warned("keep jobs from metadata services and from the engine's host by rules of your own", "jobs join the network %s, for which Runner sets no rules", e.Network)}
	}
	if engine == nil {
		p.left.add("firewall of %s: its engine does not answer", e.ID)
		return nil
	}
	if err := engine.TryFirewall(ctx); err != nil {
		what, _ := parted(err, "")
		return []Finding{warned("run the daemon as root beside the engine, with iptables installed; or set the rules of docs/sandbox.md#network on the engine's host and firewall: off",
			"the firewall cannot be set, so jobs can reach metadata services and this machine's own: %s", what)}
	}
	return []Finding{well("its rules can be set")}
}

// registry has an engine try the credentials of a registry, as it does when it pulls.
func (p *patient) registry(ctx context.Context, r config.Registry, engine *docker.Engine) []Finding {
	if r.Username == "" && r.Password == "" {
		return nil
	}
	password, err := r.Password.Resolve()
	if err != nil {
		return []Finding{p.unresolved("the password", string(r.Password), err)}
	}
	if engine == nil {
		p.left.add("registry %s: the engine does not answer", r.Server)
		return nil
	}
	if err := engine.Login(ctx, runner.RegistryAuth{Server: r.Server, Username: r.Username, Password: string(password)}); err != nil {
		return []Finding{failed("correct server, username and password of that registry in registries", "the engine could not log in: %v", err)}
	}
	return []Finding{well("it takes the credentials")}
}

// unresolved is about a secret that could not be read. A variable that this shell lacks, the daemon may have.
func (p *patient) unresolved(whose, ref string, err error) Finding {
	if strings.HasPrefix(ref, "env:") {
		return warned("run the doctor with the daemon's environment (systemd-run with its EnvironmentFile, say), or keep the secret in a file", "%s could not be tried: this shell has no variable %s", whose, strings.TrimPrefix(ref, "env:"))
	}
	return failed("put the file there, readable by the daemon's user alone", "%s cannot be read: %v", whose, err)
}
