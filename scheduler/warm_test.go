package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// warmDaemon is a scheduler on a state file and a shelf, whose steps a test takes itself.
func warmDaemon(t *testing.T, path, dirs string, e *shelf, mark string) *Scheduler {
	t.Helper()
	s := open(t, path)
	s.runner = &runner.Runner{Executors: map[string]runner.Executor{"local": e}, Sandboxes: dirs, Logger: slog.New(slog.DiscardHandler), Make: mark}
	if err := s.findWarm(); err != nil {
		t.Fatal(err)
	}
	return s
}

var golang = runner.Image{Ref: "golang", ID: "sha256:go"}

// goJob queues a build of one job that could use a sandbox made ahead.
func goJob(t *testing.T, s *Scheduler, change func(*buildspec.Job)) Build {
	t.Helper()
	job := buildspec.Job{ID: "build", Name: "build", Image: "golang"}
	if change != nil {
		change(&job)
	}
	return queuedIn(t, s, buildspec.Plan{Jobs: []buildspec.Job{job}}, map[string]runner.Image{"golang": golang, "db": {ID: "sha256:db"}})
}

// calmly takes the pool's steps, as if nothing had happened for a while.
func calmly(t *testing.T, s *Scheduler) {
	t.Helper()
	s.pool.mu.Lock()
	s.pool.newest = time.Time{}
	s.pool.mu.Unlock()
	for s.warmStep(t.Context()) {
	}
}

func warmRows(t *testing.T, s *Scheduler) (rows []sandboxRow) {
	t.Helper()
	all, _, err := s.sandboxRows()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all {
		if row.Warm {
			rows = append(rows, row)
		}
	}
	return rows
}

// checkClean closes the state and proves its invariants.
func checkClean(t *testing.T, s *Scheduler, path string) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Check(func(problem string) { t.Error(problem) }); err != nil {
		t.Fatal(err)
	}
}

func TestALeaseTakesTheSandboxThatWaits(t *testing.T) {
	path := statePath(t)
	e := &shelf{boxes: map[string]bool{}}
	s := warmDaemon(t, path, t.TempDir(), e, "1")
	goJob(t, s, nil)
	_, cold := take(t, s)
	if cold.attempt.Warm || cold.sent {
		t.Errorf("the first job has %+v", cold.attempt)
	}
	cold.holding.begun()
	calmly(t, s)
	rows := warmRows(t, s)
	if len(rows) != 1 || rows[0].Build != "" || rows[0].Image.ID != golang.ID || !e.boxes[rows[0].ID] {
		t.Fatalf("rows of waiting sandboxes are %+v, on the engine are %v", rows, e.boxes)
	}
	if s.Reap(t.Context()); !e.boxes[rows[0].ID] {
		t.Fatal("the reaper took what waits for a job")
	}
	b := goJob(t, s, nil)
	en, warm := take(t, s)
	if warm.attempt.Sandbox != rows[0].ID || !warm.attempt.Warm || warm.attempt.Sent || !warm.sent {
		t.Errorf("the second job has %+v, committed as sent: %t", warm.attempt, warm.sent)
	}
	a, err := s.attempt(t.Context(), en, warm)
	if err != nil || !a.Warm || a.Sent {
		t.Errorf("it runs as %+v, %v", a, err)
	}
	jobs, _ := s.Jobs(b.ID())
	if at := jobs[0].Attempts[0]; !at.Sent || !at.Warm {
		t.Errorf("its row is %+v", at)
	}
	if s.Reap(t.Context()); !e.boxes[rows[0].ID] {
		t.Error("the reaper took the sandbox of a job")
	}
	if left := warmRows(t, s); len(left) != 0 {
		t.Errorf("rows of waiting sandboxes are %+v", left)
	}
	// What cannot be used after all becomes as any other.
	ev := &attemptEvents{s: s, build: b.ID(), job: "build", token: warm.attempt.Token, sent: true, holding: warm.holding}
	if err := ev.Cold(t.Context()); err != nil {
		t.Fatal(err)
	}
	jobs, _ = s.Jobs(b.ID())
	if at := jobs[0].Attempts[0]; at.Sent || at.Warm {
		t.Errorf("the row of a job that lost its sandbox is %+v", at)
	}
	if err := ev.Sent(t.Context()); err != nil {
		t.Fatal(err)
	}
	if jobs, _ = s.Jobs(b.ID()); !jobs[0].Attempts[0].Sent {
		t.Error("it was sent, and no commit says so")
	}
	checkClean(t, s, path)
}

func TestSomeJobsHaveASandboxOfTheirOwn(t *testing.T) {
	s := warmDaemon(t, statePath(t), t.TempDir(), &shelf{boxes: map[string]bool{}}, "1")
	for name, change := range map[string]func(*buildspec.Job){
		"privileged": func(j *buildspec.Job) { j.Privileged = true },
		"services":   func(j *buildspec.Job) { j.Services = []buildspec.Service{{Name: "db", Image: "db"}} },
		"no image":   func(j *buildspec.Job) { j.Image = "" },
	} {
		goJob(t, s, change)
		if _, l := take(t, s); l.attempt.Warm || l.holding.want != nil {
			t.Errorf("%s: the job has %+v", name, l.attempt)
		}
	}
}

// TestEveryStepOfTheWarmMayBeTheLast lets a daemon die after each step of making a sandbox and giving it away, and looks
// at what the next one makes of it.
func TestEveryStepOfTheWarmMayBeTheLast(t *testing.T) {
	type next struct {
		mark string
		off  bool
		dead bool // the sandbox ended meanwhile
	}
	for _, c := range []struct {
		name   string
		stored bool // died with the row stored, nothing made
		next   next
		ready  int // sandboxes that wait afterwards
	}{
		{"row stored", true, next{mark: "1"}, 1},
		{"row stored, then off", true, next{mark: "1", off: true}, 0},
		{"made", false, next{mark: "1"}, 1},
		{"made, ended meanwhile", false, next{mark: "1", dead: true}, 0},
		{"made, then an upgrade", false, next{mark: "2"}, 0},
		{"made, then off", false, next{mark: "1", off: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, dirs := statePath(t), t.TempDir()
			e := &shelf{boxes: map[string]bool{}}
			s := warmDaemon(t, path, dirs, e, "1")
			goJob(t, s, nil)
			_, l := take(t, s)
			l.holding.begun()
			ctx, die := context.WithCancel(t.Context())
			if c.stored {
				e.asked = die
				e.fails = context.Canceled
			}
			s.pool.newest = time.Time{}
			s.warmStep(ctx)
			die()
			rows := warmRows(t, s)
			if len(rows) != 1 || len(e.boxes) != 1 && !c.stored {
				t.Fatalf("rows of waiting sandboxes are %+v, on the engine are %v", rows, e.boxes)
			}
			s.Close()
			e.asked, e.fails = nil, nil
			if c.next.dead {
				e.boxes[rows[0].ID] = false
			}
			cfg := *s.config()
			if c.next.off {
				cfg.Warm = config.WarmOff
			}
			s = openWith(t, path, &cfg)
			s.runner = &runner.Runner{Executors: map[string]runner.Executor{"local": e}, Sandboxes: dirs, Logger: s.log, Make: c.next.mark}
			if err := s.findWarm(); err != nil {
				t.Fatal(err)
			}
			s.Reap(t.Context()) // which may come before the pool has looked
			s.pool.next(s.warmLimitNow(), false, time.Now())
			for range 2 {
				s.pool.mu.Lock()
				var found []*warmBox
				for _, b := range s.pool.boxes {
					if b.state != warmReady {
						found = append(found, b)
					}
				}
				s.pool.mu.Unlock()
				for _, b := range found {
					s.lookAtWarm(t.Context(), b)
				}
			}
			left := warmRows(t, s)
			if len(left) != c.ready || len(e.boxes) != c.ready || len(s.pool.boxes) != c.ready {
				t.Fatalf("%d wait (rows %+v, engine %v), want %d", len(s.pool.boxes), left, e.boxes, c.ready)
			}
			if c.ready == 1 && (left[0].ID != rows[0].ID || e.made != 1) {
				t.Errorf("sandbox %s waits, %d were made; want %s alone", left[0].ID, e.made, rows[0].ID)
			}
			checkClean(t, s, path)
		})
	}
}

// TestALeaseThatIsNotStoredKeepsTheSandboxWaiting also tells of one that cannot be made.
func TestALeaseThatIsNotStoredKeepsTheSandboxWaiting(t *testing.T) {
	e := &shelf{boxes: map[string]bool{}}
	s := warmDaemon(t, statePath(t), t.TempDir(), e, "1")
	goJob(t, s, nil)
	en, l := take(t, s)
	l.holding.begun()
	calmly(t, s)
	if _, err := s.lease(t.Context(), en); err == nil {
		t.Fatal("a job was leased twice")
	}
	if b := s.pool.take(*l.holding.want, time.Now()); b == nil {
		t.Error("the sandbox does not wait any more")
	}
	log := new(logBuffer)
	s.log = slog.New(slog.NewTextHandler(log, nil))
	e.cant = errors.New("this engine cannot")
	for range 3 {
		s.makeWarm(t.Context(), *l.holding.want)
	}
	if n := log.count("this engine cannot"); n != 1 {
		t.Errorf("it is said %d times that an engine cannot, want once", n)
	}
	if n, why := s.Warm(); n != 0 || why != "this engine cannot" {
		t.Errorf("%d wait, because %q", n, why)
	}
	e.cant, e.fails = nil, errors.New("no room")
	s.makeWarm(t.Context(), *l.holding.want)
	if rows := warmRows(t, s); len(rows) != 1 || log.count("no room") != 1 {
		t.Errorf("after a failure rows of waiting sandboxes are %+v", rows)
	}
}

// TestAFreeSlotIsLeasedWithThePlan tells when a plan and the lease of its first job are one commit.
func TestAFreeSlotIsLeasedWithThePlan(t *testing.T) {
	s := warmDaemon(t, statePath(t), t.TempDir(), &shelf{boxes: map[string]bool{}}, "1")
	cfg := *s.config()
	cfg.Slots = 2
	s.cfg.Store(&cfg)
	s.started = true
	leave, cancel := context.WithCancel(t.Context())
	cancel() // what runs, is left to the next daemon at once
	commits := func() (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil })
		return n
	}
	plan := func() []string {
		tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee", Read: true})
		builds := s.takeNumbered()
		if len(builds) != 1 || tr.Outcome != OutcomeBuilt {
			t.Fatalf("the trigger made %+v", tr)
		}
		b := builds[0]
		p := fanout(2, false)
		b.Plan = &p
		before := commits()
		if err := s.queueBuild(leave, b, newJobs(&b)); err != nil {
			t.Fatal(err)
		}
		if n := commits() - before; n != 1 {
			t.Errorf("%d commits stored the plan, want one", n)
		}
		s.work.Wait()
		states := jobStates(t, s, b.ID())
		if len(s.queue.all) == 0 {
			t.Error("the jobs are not in the queue")
		}
		return states
	}
	if got := plan(); !slices.Equal(got, []string{"leased IN_PROGRESS ", "queued IN_PROGRESS "}) {
		t.Errorf("the jobs of the first build are %q", got)
	}
	if got := plan(); !slices.Equal(got, []string{"queued IN_PROGRESS ", "queued IN_PROGRESS "}) {
		t.Errorf("while a job waits, those of the next build are %q", got)
	}
}

func TestRemovalsDoNotPileUp(t *testing.T) {
	s := open(t, statePath(t))
	cfg := *s.config()
	cfg.Slots = 2
	s.cfg.Store(&cfg)
	for leaving, want := range []int{2, 2, 2, 1, 0} {
		if got := s.slotsNow(); got != want {
			t.Errorf("while %d sandboxes are being removed %d jobs may run, want %d", leaving, got, want)
		}
		s.pool.count(0, 1)
	}
}

func TestProvisioningEndsWhenAPhaseBegins(t *testing.T) {
	s := warmDaemon(t, statePath(t), t.TempDir(), &shelf{boxes: map[string]bool{}}, "1")
	goJob(t, s, nil)
	_, l := take(t, s)
	a, later := l.attempt, l.attempt.Started.Add(time.Second)
	if len(a.Phases) != 1 || a.Phases[0].Status != InProgress {
		t.Fatalf("a lease has the phases %+v", a.Phases)
	}
	applyPhase(&a, wire.PhaseEnded{Phase: wire.PhaseBuild, At: later.UnixNano()})
	if p := a.Phases[0]; len(a.Phases) != 2 || p.Status != Succeeded || p.Took.Round(time.Millisecond) != time.Second {
		t.Errorf("after a daemon died filling its sandbox it has %+v", a.Phases)
	}
}
