package conformance

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// Warm tells what is promised of sandboxes that are made ahead of their jobs, to executors that are Warmers: a job finds
// exactly what it would find in a sandbox that was made for it, and nothing of any other job.
func Warm(t *testing.T, newExecutor func(t *testing.T) (runner.Executor, string)) {
	for _, s := range []story{
		{"a warm sandbox is what a cold one is", warmIsAsCold},
		{"nothing of a job is in the next warm sandbox", warmIsAlone},
		{"a warm sandbox takes one job", warmIsUsedOnce},
		{"time limits count from the job on", warmTimeLimit},
	} {
		t.Run(s.name, func(t *testing.T) { s.tell(t, newExecutor) })
	}
}

// warmBox makes a sandbox ahead, with other limits than it will have, and does not fill it.
func warmBox(t *testing.T, ex runner.Executor, image string) *box {
	t.Helper()
	b := prepareBox(t, ex, image)
	b.spec.Limits = runner.Limits{CPUs: 0.7, MemoryBytes: 700 << 20, PIDs: 700}
	if err := ex.(runner.Warmer).Warm(t.Context(), b.spec); err != nil {
		t.Fatal(err)
	}
	b.spec.Limits = usual
	return b
}

// usual are the limits of the jobs.
var usual = runner.Limits{CPUs: 1, MemoryBytes: 512 << 20, PIDs: 300}

func (b *box) fill() *box {
	b.t.Helper()
	if err := b.ex.(runner.Warmer).Fill(b.t.Context(), b.spec); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func coldBox(t *testing.T, ex runner.Executor, image string) *box {
	t.Helper()
	b := prepareBox(t, ex, image)
	b.spec.Limits = usual
	if err := ex.Create(t.Context(), b.spec); err != nil {
		t.Fatal(err)
	}
	return b
}

// survey prints all that a job can learn of its sandbox: who and where it is, what it may, what is mounted, what limits
// it, what runs beside it, each variable, and each file that is not the kernel's, with its mode, owner, size and links.
// What it says of the network is what a container with its own has. Control groups are looked for where version 1 and
// version 2 have them.
var survey = []string{
	`echo "id $(id) umask $(umask) pwd $(pwd) shell $-"`,
	`sed -n 's/^/limits /p' /proc/self/limits; echo "oom $(cat /proc/self/oom_score_adj)"`,
	`grep -E '^(Cap|NoNewPrivs|Seccomp|Groups|Uid|Gid|SigBlk|SigIgn)' /proc/self/status; grep -E '^(Cap|NoNewPrivs|Seccomp|SigIgn)' /proc/1/status`,
	`sort /proc/mounts`,
	`sed 's/^[0-9]* [0-9]* [0-9:]* //' /proc/self/mountinfo | sort`,
	`cat /proc/self/cgroup | sort`,
	`for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max memory.max memory.swap.max cpu.max cpu.weight pids.max; do test ! -e /sys/fs/cgroup/$f || echo "$f $(cat /sys/fs/cgroup/$f)"; done`,
	`df -P /dev/shm /codebuild/user/bin | sed 's/  */ /g' | cut -d' ' -f1,2,6`,
	`env | sort`,
	`tr '\0' '\n' </proc/1/environ | sort; tr '\0' ' ' </proc/1/cmdline; echo "cwd $(readlink /proc/1/cwd)"`,
	`for p in /proc/[0-9]*/comm; do read -r comm <$p && echo "runs $comm"; done`,
	`ls /proc/1/fd | wc -l; readlink /proc/self/fd/0`,
	`for n in ipc mnt net pid uts; do test "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" && echo "same $n"; done`,
	`cat /etc/resolv.conf; cut -f1 /proc/net/dev | cut -d: -f1; cat /proc/net/route | cut -f1,2,4,8; wc -l </etc/hosts`,
	`ls -la /dev /dev/shm /codebuild /codebuild/* | sed 's/,  */,/; s/  */ /g' | cut -d' ' -f1-4,9-`,
	`find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o -exec stat -c '%n %A %u:%g %h' {} + | sort`,
	`find /codebuild/output/src /codebuild/objects -exec stat -c '%n %A %u:%g %h %s' {} + | sort`,
	`cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname | wc -l; ls /proc/sys/net/ipv4/conf | sort; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max`,
}

// look runs the survey and returns what it printed, with what names the single sandbox made the same for all.
func (b *box) look() []string {
	b.t.Helper()
	rec := b.run(b.job(survey...))
	rec.wantStatus(wire.StatusSucceeded)
	_, text, ok := strings.Cut(rec.log.String(), "\nid ")
	if !ok {
		b.t.Fatalf("no survey in the log:\n%s", &rec.log)
	}
	text = strings.ReplaceAll(text, b.spec.Tree, "TREE")
	text = strings.ReplaceAll(text, b.spec.ID, "SANDBOX")
	for pattern, word := range single {
		text = pattern.ReplaceAllString(text, word)
	}
	return strings.Split(text, "\n")
}

// single is what has another value in each sandbox, whoever makes it.
var single = map[*regexp.Regexp]string{
	regexp.MustCompile(`\b[0-9a-f]{64}\b`):                                  "CONTAINER",
	regexp.MustCompile(`\b[0-9a-f]{12}\b`):                                  "HOST",
	regexp.MustCompile(`/docker/overlay2/l/[A-Z0-9]{26}`):                   "LAYER",
	regexp.MustCompile(`(shared|master|propagate_from):[0-9]+`):             "$1:PEERS",
	regexp.MustCompile(`\b(0x)?[0-9A-F]{8}\b`):                              "ADDRESS",
	regexp.MustCompile(`\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+`): "[Container]",
	regexp.MustCompile(`shell\d{5,}`):                                       "SHELL",
}

func warmIsAsCold(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	warm := warmBox(t, ex, image)
	cold := coldBox(t, ex, image).look()
	same(t, cold, warm.fill().look())
}

// same compares two surveys line by line.
func same(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) < 100 {
		t.Errorf("the survey has %d lines only", len(want))
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("only a cold sandbox has: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("only the warm sandbox has: %s", line)
		}
	}
	if len(want) != len(got) {
		t.Errorf("%d lines, and %d in the warm sandbox", len(want), len(got))
	}
}

// vandal leaves its mark everywhere it can: in each directory it may write to, in the names, the memory and the clocks
// that containers might share, and in what it can reach of the sandboxes beside it.
var vandal = []string{
	`for d in / /* /codebuild/* /codebuild/*/* /dev /dev/shm /tmp /var/tmp /root /sys/fs/cgroup/*; do echo secret-of-a >"$d/mark-of-a" 2>/dev/null; done; true`,
	`for p in /proc/[0-9]*; do echo 999 >$p/oom_score_adj 2>/dev/null; done; true`,
	`for f in /proc/sys/kernel/* /proc/sys/net/ipv4/* /proc/sys/vm/*; do echo 17 >$f 2>/dev/null; done; hostname mark-of-a 2>/dev/null; true`,
	`umount /codebuild/output/src /codebuild/spool /codebuild 2>/dev/null; mount -o remount,rw /codebuild 2>/dev/null; mount -t tmpfs x /mnt 2>/dev/null; mknod /dev/mark-of-a b 254 0 2>/dev/null; true`,
	`for p in /proc/*/root /proc/1/cwd; do echo secret-of-a >$p/mark-of-a 2>/dev/null; done; ls /proc/1/cwd/ /proc/1/root/codebuild`,
	`(while :; do sleep 1; done) & ls -R /codebuild/output/src >/codebuild/spool/mark-of-a; echo marked`,
}

// warmIsAlone tells of two sandboxes made ahead, of which one runs a job that leaves what it can, and ends. The other
// is, for a job of another project, what it would have been without that.
func warmIsAlone(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	first, second := warmBox(t, ex, image), warmBox(t, ex, image)
	cold := coldBox(t, ex, image).look()
	first.spec.Tree = snapshot(t)
	write(t, first.spec.Tree+"/of-a.txt", "secret-of-a")
	first.fill()
	job := first.job(vandal...)
	job.Env = append(job.Env, wire.Var{Name: "OF_A", Value: "secret-of-a"})
	rec := first.run(job)
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\nmarked\n")
	got := second.fill().look()
	same(t, cold, got)
	if text := strings.Join(got, "\n"); strings.Contains(text, "of-a") || strings.Contains(text, "OF_A") {
		t.Errorf("something of the first job is in the second's sandbox:\n%s", text)
	}
	rec = coldBox(t, ex, image).run(first.job(`grep -rl secret-of-a / --exclude-dir=proc --exclude-dir=sys 2>/dev/null; find / -xdev -name '*-of-a*' 2>/dev/null; echo looked`))
	rec.wantLog("\nlooked\n")
	rec.wantNotInLog("\n/")
}

func warmIsUsedOnce(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	b := warmBox(t, ex, image).fill()
	b.run(b.job("echo once")).wantStatus(wire.StatusSucceeded)
	b.waitEnded()
	if err := ex.(runner.Warmer).Fill(t.Context(), b.spec); err == nil {
		t.Error("a sandbox that had its job was filled again")
	}
}

func warmTimeLimit(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	b := warmBox(t, ex, image).fill()
	job := b.job(stubborn)
	job.Limits = wire.Limits{TimeoutMillis: 300, GraceMillis: 100}
	b.run(job).wantStatus(wire.StatusTimedOut)
	b.waitEnded()
}
