package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// recorder makes frames durable in groups: a lone line of output is stored at once, a flood in blocks, because
// every commit costs a disk sync. Progress is committed before the log, whose cursor says where to go on, so that
// a crash between the two repeats facts and never loses one.
type recorder struct {
	store  *artifacts.Store
	id     string
	events Events
	paused *bool // whether the job waits at a breakpoint; nil is unknown
	began  bool  // a command did
	closed bool  // a former daemon wrote the lines that follow the agent's last frame

	frame    uint64   // newest frame taken
	stored   uint64   // newest frame durable
	gap      uint64   // frames that never came: the record was damaged
	log      wire.Log // decoded last; its memory is used again
	out      []byte
	spare    []byte     // memory for the out that follows
	writing  *Progress  // what a commit that is under way tells, beside spare; nil: none is
	wrote    chan error // its outcome
	bytes    int64      // of the log, what is in out included
	limit    int64      // of bytes; 0 is none
	cut      bool       // something was dropped
	progress Progress
	told     map[mark]bool // what was told of phases; each counts once
	commands int           // how many more beginnings of commands may be told
	ends     int           // how many more ends
	mask     remask

	flushed time.Time
	pause   time.Duration // between flushes, as it is now
	timer   *time.Timer
	armed   bool
	since   int // frames of output since a command began: the first is the agent's line that names it
}

// mark is a phase's beginning or its end.
type mark struct {
	phase string
	ended bool
}

const (
	// flushEvery is how long output may wait for company after the last commit, once it has come for a while.
	flushEvery = 100 * time.Millisecond
	// flushSoon is how long the first output waits at most: an agent's own lines come just before a command's. The waits after it
	// double up to flushEvery, so that who looks at a job that begins, or says something after a while, sees it at once.
	flushSoon = 3 * time.Millisecond
	// flushFirst is the longest wait that a command's first output ends at once: that of the first few commits after a quiet
	// time, so that many short commands do not make as many commits.
	flushFirst = 4 * flushSoon
	// flushQuiet is how long nothing must have come for the waits to begin anew.
	flushQuiet = time.Second
	// flushBytes is how much output makes a commit on its own.
	flushBytes = 1 << 20
	// aheadBytes is how much may gather while a commit is under way.
	aheadBytes = 4 << 20
)

func newRecorder(store *artifacts.Store, id string, limit int64, ev Events) (*recorder, error) {
	st, err := store.LogState(id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errStore, err)
	}
	r := &recorder{store: store, id: id, events: ev, frame: st.LastFrame, stored: st.LastFrame,
		bytes: st.Bytes, commands: MaxCommands, ends: MaxCommands, told: make(map[mark]bool), wrote: make(chan error, 1), timer: time.NewTimer(time.Hour)}
	if limit > 0 && limit < math.MaxInt64-logReserve {
		r.limit = limit + logReserve
	}
	r.timer.Stop()
	return r, nil
}

// preface puts a line of ours before all that the agent says, unless a former daemon did. It is stored with what comes
// next.
func (r *recorder) preface(line string) {
	if line == "" || r.bytes > 0 || r.frame > 0 {
		return
	}
	r.out = append(r.out, ownLine(r.mask.masker.String(line))...)
	r.bytes += int64(len(r.out))
}

// last is the newest frame that we hold, durable or not: after it the agent resends.
func (r *recorder) last() uint64 { return r.frame }

func (r *recorder) take(f wire.Frame) (*wire.Done, error) {
	if f.Seq <= r.frame && f.Kind != wire.KindDone {
		return nil, nil // sent again after a re-attach; done is wanted even so, by a daemon that died with it in hand
	}
	r.closed = f.Seq < r.stored // known only of done, which nothing of the agent's follows
	if f.Seq > r.frame+1 {
		r.gap += f.Seq - r.frame - 1
	}
	r.frame = max(r.frame, f.Seq)
	r.progress.Frame = r.frame
	r.arm()
	switch f.Kind {
	case wire.KindLog:
		r.log.Data = r.log.Data[:0]
		if err := wire.Decode(f, &r.log); err != nil {
			return nil, err
		}
		r.print(r.mask.output(r.log.Data))
		if r.since++; r.since == 2 && r.pause <= flushFirst {
			r.timer.Reset(0) // what the wait was for is here
		}
	case wire.KindPhaseBegan:
		var b wire.PhaseBegan
		if err := wire.Decode(f, &b); err != nil {
			return nil, err
		}
		r.tell(mark{b.Phase, false}, wire.PhaseEnded{Phase: b.Phase, At: b.At, Offset: r.bytes})
	case wire.KindPhaseEnded:
		var e wire.PhaseEnded
		if err := wire.Decode(f, &e); err != nil {
			return nil, err
		}
		r.mask.phase(&e)
		if known(e.Status) { // an empty one would say that it began
			r.tell(mark{e.Phase, true}, e)
		}
	case wire.KindCommandBegan:
		var c wire.CommandBegan
		if err := wire.Decode(f, &c); err != nil {
			return nil, err
		}
		r.mask.command(&c)
		r.progress.Command, r.since, r.began = &c, 0, true
		r.commandBegan(&c)
	case wire.KindCommandEnded:
		var c wire.CommandEnded
		if err := wire.Decode(f, &c); err != nil {
			return nil, err
		}
		r.commandEnded(&c)
	case wire.KindPaused:
		var p wire.Paused
		if err := wire.Decode(f, &p); err != nil {
			return nil, err
		}
		r.pauses(true, p.Number)
	case wire.KindResumed:
		r.pauses(false, 0)
	case wire.KindDone:
		var d wire.Done
		if err := wire.Decode(f, &d); err != nil {
			return nil, err
		}
		r.mask.done(&d)
		return &d, nil
	}
	return nil, nil
}

// print takes output, up to the limit. The agent keeps the limit too; a job that writes frames of its own does not.
// That the rest is missing is said once by each daemon that drops some.
func (r *recorder) print(data []byte) {
	room := max(0, r.limit-r.bytes)
	if r.limit > 0 && int64(len(data)) > room {
		data = data[:room:room]
		if !r.cut {
			r.cut = true
			data = append(data, '\n')
			data = append(data, ownLine(fmt.Sprintf("Log limit reached: the log is larger than limits.log and the %d bytes that the agent may add, so what comes from here on is dropped", logReserve))...)
		}
	}
	r.bytes += int64(len(data))
	r.out = append(r.out, data...)
}

// pauses notes that the job waits at a breakpoint, or no longer does.
func (r *recorder) pauses(now bool, number int) {
	r.paused, r.progress.Paused, r.progress.Pause = &now, &now, number
}

// logReserve is how far past its limit an agent's log may be: 256 KiB of its own lines, the last of which may repeat
// a command of any length.
const logReserve = 1 << 20

// tell takes what is said of a phase, once for each that an agent runs. An agent says no more; a job that writes
// frames of its own could go on without end, and what is taken is held here and in the job's row.
func (r *recorder) tell(m mark, p wire.PhaseEnded) {
	if !slices.Contains(agentPhases, m.phase) || r.told[m] {
		return
	}
	r.told[m] = true
	r.progress.Phases = append(r.progress.Phases, p)
}

// provisioning takes a phase of our own, which becomes durable with the first that the agent tells.
func (r *recorder) provisioning(p wire.PhaseEnded) {
	r.progress.Phases = append(r.progress.Phases, p)
}

var agentPhases = []string{wire.PhaseInstall, wire.PhasePreBuild, wire.PhaseBuild, wire.PhasePostBuild, wire.PhaseUpload}

// arm sets the timer by which what was taken must be flushed: soon after a quiet time.
func (r *recorder) arm() {
	if r.armed {
		return
	}
	r.armed = true
	since := time.Since(r.flushed)
	if r.pause = min(2*r.pause, flushEvery); since > flushQuiet {
		r.pause = flushSoon
	}
	r.timer.Reset(max(flushSoon, r.pause-since))
}

// due fires when something waits that has waited long enough.
func (r *recorder) due() <-chan time.Time { return r.timer.C }

// full tells that there is enough for a commit, and either none is under way or it is time to wait for it.
func (r *recorder) full() bool {
	return len(r.out) >= aheadBytes || len(r.out) >= flushBytes && (r.writing == nil || len(r.wrote) > 0)
}

// keep makes durable what was taken, at the end all of it, and before only as much of it as is worth a commit.
func (r *recorder) keep(ctx context.Context, end bool) error {
	switch {
	case end:
		return r.flush(ctx)
	case r.full():
		return r.begin(ctx)
	}
	return nil
}

// flush makes durable what was taken.
func (r *recorder) flush(ctx context.Context) error {
	return errors.Join(r.begin(ctx), r.wait())
}

// wait waits for the commit that is under way.
func (r *recorder) wait() error {
	if r.writing == nil {
		return nil
	}
	err, was := <-r.wrote, r.writing
	r.writing = nil
	if err == nil {
		r.stored = was.Frame
		return nil
	}
	// It had no effect, so what it was to store is still to be stored, before what came since.
	r.out, r.spare = append(r.spare, r.out...), nil
	now := r.progress
	r.progress.Phases = append(was.Phases, now.Phases...)
	r.progress.Commands = append(was.Commands, now.Commands...)
	if now.Command == nil {
		r.progress.Command = was.Command
	}
	if now.Paused == nil {
		r.progress.Paused, r.progress.Pause = was.Paused, was.Pause
	}
	r.progress.Frame = r.frame
	return err
}

// begin begins to make durable what was taken, once the commit before is over: while the disk works, more is taken.
func (r *recorder) begin(ctx context.Context) error {
	r.timer.Stop()
	r.armed = false
	r.flushed = time.Now()
	if err := r.wait(); err != nil || r.frame == r.stored && len(r.progress.Phases) == 0 {
		return err
	}
	// What was read must be stored even while the daemon is told to leave: it costs milliseconds, and spares the
	// agent a resend.
	ctx = context.WithoutCancel(ctx)
	out, progress, grown := r.out, r.progress, r.frame != r.stored
	progress.Frame = r.frame
	r.out, r.spare = r.spare[:0], out
	r.writing, r.progress = &progress, Progress{}
	go func() { r.wrote <- r.commit(ctx, out, progress, grown) }()
	return nil
}

// commit makes progress durable, then the log if it has grown.
func (r *recorder) commit(ctx context.Context, out []byte, progress Progress, grown bool) error {
	if err := r.report(ctx, progress); err != nil || !grown {
		return err
	}
	failpoint.Pass("5/progress-committed")
	if err := r.store.AppendLog(ctx, r.id, progress.Frame, out); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	failpoint.Pass("5/output-committed")
	return nil
}

// report makes progress durable, if there is any.
func (r *recorder) report(ctx context.Context, progress Progress) error {
	if len(progress.Phases) == 0 && progress.Command == nil && progress.Paused == nil && len(progress.Commands) == 0 {
		return nil
	}
	if err := r.events.Progress(ctx, progress); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	return nil
}

// end stores what was not stored yet, then lines of our own, once, and seals the log, all in one commit.
func (r *recorder) end(ctx context.Context, lines []string) error {
	r.timer.Stop()
	r.armed = false
	if err := r.wait(); err != nil {
		return err
	}
	if r.frame != r.stored {
		r.print(r.mask.rest())
	}
	ctx = context.WithoutCancel(ctx)
	if err := r.report(ctx, r.progress); err != nil {
		return err
	}
	r.progress = Progress{}
	if len(lines) > 0 && !r.closed {
		for _, line := range lines {
			r.out = append(r.out, ownLine(r.mask.masker.String(line))...)
		}
		r.frame++
	}
	if err := r.store.EndLog(ctx, r.id, r.frame, r.out); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	r.stored, r.out = r.frame, r.out[:0]
	return nil
}

// ownLine is a line as the agent would write it.
func ownLine(text string) []byte {
	return fmt.Appendf(nil, "[Container] %s %s\n", time.Now().UTC().Format("2006/01/02 15:04:05.000000"), text)
}
