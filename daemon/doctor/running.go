package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/client"
)

// running is the daemon on the data directory.
type running struct {
	runs   bool
	pid    int            // 0 where it cannot be told
	asked  *client.Daemon // what it said of itself
	api    *client.Client // nil where it cannot be asked
	silent error          // why it could not be asked
}

func (d *running) words() string {
	switch {
	case d.runs && d.pid > 0:
		return fmt.Sprintf("runs as process %d", d.pid)
	case d.runs:
		return "runs"
	}
	return "does not run"
}

// findDaemon looks who holds the lock of the data directory, in the kernel's list of locks: to try that lock could keep a
// daemon from starting that begins at this moment. Where the list says nothing, as in another container, the lock of the
// state is tried, for which a daemon waits. Only where one runs the token is sent to its address: who else listens
// there is not to have it.
func (p *patient) findDaemon(ctx context.Context) running {
	d := running{}
	if d.pid, d.runs = p.lockHolder(filepath.Join(p.cfg.Data, "lock")); !d.runs {
		d.runs = locked(filepath.Join(p.cfg.Data, "state.db"))
	}
	if !d.runs {
		return d
	}
	token, err := os.ReadFile(filepath.Join(p.cfg.Data, "token"))
	if err != nil {
		d.silent = err
		return d
	}
	base, web := p.speak()
	api := client.New(base, strings.TrimSpace(string(token)), client.WithHTTPClient(web))
	said, err := api.Daemon(ctx)
	if err != nil {
		d.silent = err
		return d
	}
	d.asked, d.api = &said, api
	return d
}

// locked tells whether another process has a file to itself.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // and with it the lock, if it was had
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// lockHolder finds the process that holds a lock on a file.
func (p *patient) lockHolder(path string) (pid int, held bool) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	f, err := os.Open(filepath.Join(p.proc, "locks"))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	inode := ":" + strconv.FormatUint(sys.Ino, 10)
	whole := fmt.Sprintf("%02x:%02x%s", unix.Major(uint64(sys.Dev)), unix.Minor(uint64(sys.Dev)), inode)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4242 08:01:131090 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], inode) {
			continue
		}
		// Some file systems have another device here than they tell of their files: then the process is looked at.
		if pid, _ := strconv.Atoi(fields[4]); fields[5] == whole || p.holds(pid, path) {
			return max(pid, 0), true
		}
	}
	return 0, false
}

// holds tells whether a process has a file open.
func (p *patient) holds(pid int, path string) bool {
	dir := filepath.Join(p.proc, strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == path {
			return true
		}
	}
	return false
}

// reachable is the listener's address as it is reached from this machine.
func (p *patient) reachable() string {
	host, port, err := net.SplitHostPort(p.cfg.Listen)
	if err != nil {
		return p.cfg.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// daemonFindings are what a running daemon says of itself.
func (p *patient) daemonFindings() []Finding {
	d := p.daemon.asked
	if d == nil {
		return nil
	}
	out := []Finding{well("it answers at %s: %d of %d slots busy, %d queued", p.reachable(), d.Running, d.Slots, d.Queued)}
	if d.Version != p.Version {
		out = append(out, warned("restart it (builds go on), or run the doctor of its release", "it is release %s, and this command is %s", d.Version, p.Version))
	}
	if d.Draining {
		out = append(out, warned("runner drain --off", "it starts no jobs, because it drains"))
	}
	for _, w := range d.Warnings {
		what, mend := parted(fmt.Errorf("it warns: %s", w), "see its log")
		out = append(out, warned(mend, "%s", what))
	}
	return out
}

// networkChecks are about how people and forges reach the daemon.
func (p *patient) networkChecks() []check {
	list := []check{{"listen", checkTime, p.listener}}
	if p.daemon.asked != nil {
		list = append(list, check{"daemon", checkTime, func(context.Context) []Finding { return p.daemonFindings() }})
	}
	return append(list, check{"url", checkTime, p.address})
}

// listener sees whether the daemon can listen, or does.
func (p *patient) listener(ctx context.Context) []Finding {
	if p.daemon.runs {
		base, web := p.speak()
		if err := healthy(ctx, web, base); err != nil {
			return []Finding{failed("look at its log; if it listens elsewhere (--listen), say so in the configuration", "a daemon runs, and %s is not answered by it: %v", p.cfg.Listen, err)}
		}
		return []Finding{well("the daemon answers at %s", p.cfg.Listen)}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Listen)
	if err != nil {
		return []Finding{failed("stop what uses that address, or choose another with listen", "the daemon could not listen: %v", err)}
	}
	ln.Close()
	return []Finding{well("%s is free for the daemon", p.cfg.Listen)}
}

// address sees whether the daemon is reached under the address that its links have.
func (p *patient) address(ctx context.Context) []Finding {
	var out []Finding
	if p.local(p.cfg.URL) && p.hooked() {
		out = append(out, warned("set url to the address under which the forge reaches this machine", "projects wait for webhooks, and url is %s, which no other machine can reach", p.cfg.URL))
	}
	if !p.daemon.runs {
		p.left.add("url: whether %s leads to the daemon, because none runs", p.cfg.URL)
		return out
	}
	began := time.Now()
	_, web := p.speak()
	if err := healthy(ctx, web, p.cfg.URL); err != nil {
		return append(out, failed("correct url, or the proxy in front of the daemon and the name in the DNS (docs/operations.md)", "%s does not lead to the daemon: %v", p.cfg.URL, err))
	}
	return append(out, well("%s leads to a daemon, in %v", p.cfg.URL, time.Since(began).Round(time.Millisecond)))
}

// hooked tells whether any project takes webhooks.
func (p *patient) hooked() bool {
	for _, project := range p.cfg.Projects {
		if project.HookSecret() != "" {
			return true
		}
	}
	return false
}
