package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// What the daemon needs of its machine: descriptors for every job and every client, memory for itself and for source workers.
const (
	fewFiles    = 4096
	filesPerJob = 64
	fewMemory   = 512 << 20
	jumpWindow  = 200 * time.Millisecond
	jump        = 50 * time.Millisecond
)

func (p *patient) machineChecks() []check {
	return []check{
		{"clock", checkTime, func(context.Context) []Finding { return p.clock() }},
		{"limits", checkTime, func(context.Context) []Finding { return p.limits() }},
		{"memory", checkTime, func(context.Context) []Finding { return p.memory() }},
		{"kernel", checkTime, func(context.Context) []Finding { return p.kernel() }},
	}
}

// clock sees whether the clock is kept, runs evenly, and is not behind what the daemon wrote.
func (p *patient) clock() (out []Finding) {
	const mend = "let NTP keep the clock (timedatectl set-ntp true)"
	if st, err := os.Stat(filepath.Join(p.cfg.Data, "state.db")); err == nil && time.Until(st.ModTime()) > skew {
		out = append(out, failed(mend, "the clock went back: %s was written %v from now", st.Name(), time.Until(st.ModTime()).Round(time.Second)))
	}
	switch off, err := p.drift(jumpWindow); {
	case errors.Is(err, errors.ErrUnsupported):
		p.left.add("clock: whether it runs evenly cannot be told on %s", runtime.GOOS)
	case err != nil:
		p.left.add("clock: %v", err)
	case off.Abs() > jump:
		out = append(out, warned(mend, "the clock jumped by %v while it was looked at", off.Round(time.Millisecond)))
	}
	switch synced, err := p.synced(); {
	case err != nil:
		p.left.add("clock: whether it is kept by NTP cannot be told here: %v", err)
	case !synced:
		out = append(out, warned(mend, "nothing keeps the clock: certificates and schedules will go wrong as it drifts"))
	default:
		out = append(out, well("it is kept by NTP"))
	}
	return out
}

// limits are those of the daemon that runs, or of this process, which stands for one that will be started from here.
func (p *patient) limits() (out []Finding) {
	whose, path := "this process", filepath.Join(p.proc, "self", "limits")
	if p.daemon.pid > 0 {
		whose, path = "the daemon", filepath.Join(p.proc, strconv.Itoa(p.daemon.pid), "limits")
	}
	want := uint64(max(fewFiles, p.cfg.Slots*filesPerJob))
	switch files, err := hardLimit(path, "Max open files"); {
	case err != nil:
		p.left.add("limits: open files of %s: %v", whose, err)
	case files < want:
		out = append(out, warned("LimitNOFILE=65536 in its systemd unit, or ulimit -n", "%s may have %d files open; %d slots want %d", whose, files, p.cfg.Slots, want))
	default:
		out = append(out, well("%s may have %d files open", whose, files))
	}
	switch pids, err := number(filepath.Join(p.proc, "sys/kernel/pid_max")); {
	case err != nil:
		p.left.add("limits: processes of the machine: %v", err)
	case p.cfg.Limits.PIDs*2 > int64(pids):
		out = append(out, warned("sysctl kernel.pid_max=4194304, or lower limits.pids", "one job may have %d of the %d processes that the machine can have", p.cfg.Limits.PIDs, pids))
	}
	return out
}

// hardLimit reads one line of a process's limits; the daemon raises the soft one by itself.
func hardLimit(path, name string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), name)
		if fields := strings.Fields(rest); found && len(fields) >= 2 {
			if fields[1] == "unlimited" {
				return 1 << 62, nil
			}
			return strconv.ParseUint(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no line %q", path, name)
}

func number(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

func (p *patient) memory() []Finding {
	text, err := os.ReadFile(filepath.Join(p.proc, "meminfo"))
	if err != nil {
		p.left.add("memory: %v", err)
		return nil
	}
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, "MemAvailable:")
		if !found {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			break
		}
		if kib<<10 < fewMemory {
			return []Finding{warned("lower slots or limits.memory, or give the machine more", "%s of memory are available; jobs will be killed by the kernel", size(kib<<10))}
		}
		return []Finding{well("%s are available", size(kib<<10))}
	}
	p.left.add("memory: the kernel does not tell what is available")
	return nil
}

// kernel looks for what workspaces are made with.
func (p *patient) kernel() []Finding {
	text, err := os.ReadFile(filepath.Join(p.proc, "filesystems"))
	if err != nil {
		p.left.add("kernel: %v", err)
		return nil
	}
	release, _ := os.ReadFile(filepath.Join(p.proc, "sys/kernel/osrelease"))
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "nodev")) == "overlay" {
			return []Finding{well("%s has overlay mounts", strings.TrimSpace(string(release)))}
		}
	}
	return []Finding{warned("modprobe overlay, and keep it so in /etc/modules-load.d", "%s has no overlay mounts, or has not loaded them: workspaces and caches would be copied", strings.TrimSpace(string(release)))}
}

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
