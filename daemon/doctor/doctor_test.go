package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/source"
)

// TestMain makes this binary the source worker too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "source-worker" {
		os.Exit(source.WorkerMain(os.Stdin, os.Stdout, os.Stderr))
	}
	leak.Main(m)
}

// healthyPatient is a machine on which nothing is wrong, for a test to break.
func healthyPatient(t *testing.T) *patient {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.URL = filepath.Join(dir, "data"), "127.0.0.1:0", "http://127.0.0.1:1"
	cfg.Secrets.KeyFile = filepath.Join(dir, "etc", "key")
	for _, d := range []string{cfg.Data, filepath.Dir(cfg.Secrets.KeyFile), filepath.Join(dir, "proc/self"), filepath.Join(dir, "proc/sys/kernel")} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	p, err := newPatient(t.Context(), Options{Config: cfg, Version: "1", Worker: []string{"/proc/self/exe", "source-worker"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	p.proc = filepath.Join(dir, "proc")
	for name, text := range map[string]string{
		"self/limits": "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n",
		"meminfo":     "MemTotal: 8000000 kB\nMemAvailable:    4194304 kB\n", "filesystems": "nodev\ttmpfs\nnodev\toverlay\n\text4\n",
		"sys/kernel/pid_max": "4194304\n", "sys/kernel/osrelease": "6.1.0\n", "locks": "",
	} {
		write(t, filepath.Join(p.proc, name), text, 0o600)
	}
	p.synced = func() (bool, error) { return true, nil }
	p.drift = func(time.Duration) (time.Duration, error) { return time.Microsecond, nil }
	return p
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// want sees that there is a finding of a level whose text holds a phrase, and that whatever is not well says how to mend it.
func want(t *testing.T, found []Finding, level Level, phrase string) {
	t.Helper()
	ok := false
	for _, f := range found {
		ok = ok || f.Level == level && strings.Contains(f.What, phrase)
		if (f.Mend == "") != (f.Level == OK) {
			t.Errorf("%s finding %q is mended by %q", f.Level, f.What, f.Mend)
		}
	}
	if !ok {
		t.Errorf("no %s finding says %q: %+v", level, phrase, found)
	}
}

// allWell sees that nothing is complained of.
func allWell(t *testing.T, found []Finding) {
	t.Helper()
	if len(found) == 0 {
		t.Error("nothing was looked at")
	}
	for _, f := range found {
		if f.Level != OK {
			t.Errorf("a healthy machine is told of: %+v", f)
		}
	}
}

func TestWhatHangsIsAFinding(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	c := check{"stuck", 20*time.Millisecond - grace, func(context.Context) []Finding { <-hang; return nil }}
	want(t, c.run(t.Context()), Fail, "did not end within")
}

func TestMachine(t *testing.T) {
	p := healthyPatient(t)
	for _, look := range []func() []Finding{p.clock, p.limits, p.memory, p.kernel} {
		allWell(t, look())
	}
	if len(p.left.lines) > 0 {
		t.Errorf("left out: %q", p.left.lines)
	}
	write(t, filepath.Join(p.proc, "self/limits"), "Max open files            1024                 1024               files\n", 0o600)
	write(t, filepath.Join(p.proc, "sys/kernel/pid_max"), "8000\n", 0o600)
	want(t, p.limits(), Warn, "may have 1024 files open")
	want(t, p.limits(), Warn, "4096 of the 8000 processes")
	write(t, filepath.Join(p.proc, "meminfo"), "MemAvailable:    204800 kB\n", 0o600)
	want(t, p.memory(), Warn, "200 MiB of memory")
	write(t, filepath.Join(p.proc, "filesystems"), "nodev\ttmpfs\n\tnotoverlay\n", 0o600)
	want(t, p.kernel(), Warn, "6.1.0 has no overlay mounts")
}

func TestMachineThatDoesNotTellIsLeftOut(t *testing.T) {
	p := healthyPatient(t)
	p.proc = filepath.Join(p.proc, "gone")
	p.synced = func() (bool, error) { return false, errors.ErrUnsupported }
	p.drift = func(time.Duration) (time.Duration, error) { return 0, errors.ErrUnsupported }
	found := append(append(append(p.clock(), p.limits()...), p.memory()...), p.kernel()...)
	if len(found) > 0 || len(p.left.lines) != 6 {
		t.Errorf("found %+v, left out %q", found, p.left.lines)
	}
}

func TestClock(t *testing.T) {
	p := healthyPatient(t)
	p.synced = func() (bool, error) { return false, nil }
	want(t, p.clock(), Warn, "nothing keeps the clock")
	p.drift = func(time.Duration) (time.Duration, error) { return -3 * time.Second, nil }
	want(t, p.clock(), Warn, "the clock jumped by -3s")
	state := filepath.Join(p.cfg.Data, "state.db")
	write(t, state, "", 0o600)
	tomorrow := time.Now().Add(24 * time.Hour)
	if err := os.Chtimes(state, tomorrow, tomorrow); err != nil {
		t.Fatal(err)
	}
	want(t, p.clock(), Fail, "the clock went back: state.db was written 24h0m0s from now")
}

func TestKernelsOwnClockCanBeAsked(t *testing.T) {
	off, err := wallAgainstMonotonic(time.Millisecond)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not on this system")
	}
	if err != nil || off.Abs() > time.Hour {
		t.Errorf("the clock is off by %v, %v", off, err)
	}
}

func TestDataDirectory(t *testing.T) {
	p := healthyPatient(t)
	allWell(t, p.dataDirectory())
	for name, breaking := range map[string]func(){
		"may be written by others (mode 0777)":      func() { os.Chmod(p.cfg.Data, 0o777) },
		"token can be read or changed by others":    func() { write(t, filepath.Join(p.cfg.Data, "token"), "rt_x", 0o644) },
		"state.db can be read or changed by others": func() { write(t, filepath.Join(p.cfg.Data, "state.db"), "", 0o640) },
		"secrets.db is no regular file":             func() { os.Symlink("/etc/passwd", filepath.Join(p.cfg.Data, "secrets.db")) },
	} {
		breaking()
		want(t, p.dataDirectory(), Fail, name)
	}
	p = healthyPatient(t)
	p.cfg.Data = filepath.Join(p.cfg.Data, "new", "one")
	allWell(t, p.dataDirectory()) // it will be made
	p.base = "/proc/self/fdinfo"  // where nobody can make anything
	want(t, p.dataDirectory(), Fail, "does not exist, and cannot be made")
}

func TestDatabases(t *testing.T) {
	p := healthyPatient(t)
	path := filepath.Join(p.cfg.Data, "state.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	allWell(t, p.databases())
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	want(t, p.databases(), Fail, "is damaged: it has 8192 bytes of")
	if projects, err := p.madeProjects(t.Context()); err == nil {
		t.Errorf("of a damaged state came %v", projects)
	}
	write(t, path, strings.Repeat("noise", 4096), 0o600)
	want(t, p.databases(), Fail, "cannot be read")
	if _, err := p.madeProjects(t.Context()); err == nil {
		t.Error("noise was read as a state")
	}
}

func TestOwnerOfTheData(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a directory to another user needs root")
	}
	p := healthyPatient(t)
	if err := os.Chown(p.cfg.Data, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	want(t, p.dataDirectory(), Warn, "belongs to user 12345, and this is root")
}

func TestKey(t *testing.T) {
	p := healthyPatient(t)
	key := p.cfg.Secrets.KeyFile
	allWell(t, p.key()) // the first secret makes it
	write(t, filepath.Join(p.cfg.Data, "secrets.db"), "", 0o600)
	want(t, p.key(), Fail, "builds that need a secret will fail: the key of the secret store is missing")
	const identity = "AGE-SECRET-KEY-1QQPQRQT52E7S7R2ZZ4YX43W5Z5KJ5QGR2A4K34QJ6PPVQ0XAXGUSQXM9ZS"
	write(t, key, identity, 0o644)
	want(t, p.key(), Fail, "can be read or changed by others (mode 0644)")
	write(t, key, "no key", 0o600)
	want(t, p.key(), Fail, "holds no age identity")
	p.cfg.Secrets.KeyFile = filepath.Join(p.cfg.Data, "key")
	want(t, p.key(), Fail, "lies in the data directory")
	p.cfg.Secrets.KeyFile = "/proc/self/fdinfo/key"
	os.Remove(filepath.Join(p.cfg.Data, "secrets.db"))
	want(t, p.key(), Warn, "could not be made")
}

func TestDisk(t *testing.T) {
	p := healthyPatient(t)
	v, err := volumeOf(p.base)
	if err != nil || v.bytes == 0 || v.kind == "" {
		t.Fatalf("%+v, %v", v, err)
	}
	good := volume{kind: "ext4", free: 100 << 30, bytes: 200 << 30, inodes: 1 << 30, counted: true}
	allWell(t, judge("/data", good))
	for _, c := range []struct {
		breaking func(*volume)
		level    Level
		says     string
	}{
		{func(v *volume) { v.free = 100 << 20 }, Fail, "100 MiB free of 200.0 GiB, too little"},
		{func(v *volume) { v.free = 4 << 30 }, Warn, "4.0 GiB free"},
		{func(v *volume) { v.inodes = 10 }, Fail, "room for 10 more files"},
		{func(v *volume) { v.inodes = 50_000 }, Warn, "room for 50000 more files"},
		{func(v *volume) { v.readOnly = true }, Fail, "mounted read-only"},
		{func(v *volume) { v.kind = "nfs" }, Warn, "is on nfs"},
		{func(v *volume) { v.kind = "overlayfs" }, Warn, "goes with the container"},
	} {
		v := good
		c.breaking(&v)
		want(t, judge("/data", v), c.level, c.says)
	}
	good.inodes, good.counted = 0, false // btrfs makes them as it goes
	allWell(t, judge("/data", good))
	p.base = filepath.Join(p.base, "gone")
	want(t, p.disk(), Fail, "cannot be asked")
}

func TestSync(t *testing.T) {
	p := healthyPatient(t)
	if found := p.syncing(t.Context()); len(found) != 1 || found[0].Level == Fail {
		t.Errorf("%+v", found)
	}
	if entries, _ := os.ReadDir(p.base); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	want(t, []Finding{judgeSync(300 * time.Millisecond)}, Warn, "takes 300ms to be durable")
	allWell(t, []Finding{judgeSync(3 * time.Millisecond)})
	p.base = "/proc/self/fdinfo"
	want(t, p.syncing(t.Context()), Fail, "nothing can be written durably")
}
