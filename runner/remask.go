package runner

import (
	"context"
	"slices"
	"time"

	"github.com/runner-ci/runner/runner/agent/mask"
	"github.com/runner-ci/runner/runner/wire"
)

// remask hides an attempt's secrets once more in what comes out of its sandbox. The agent did so already; a job that
// writes frames of its own, or an agent that was tampered with, did not. The zero value hides nothing.
type remask struct {
	masker *mask.Masker
	log    *mask.Stream
	shown  []byte    // memory for what output returns
	since  time.Time // when the end of the log began to be held back
}

// holdMost is how long the end of the log is held back because it may be the beginning of a secret. An agent that
// masks sends no such end but when a command ended with it, and then goes on at once.
const holdMost = 2 * time.Second

func newRemask(secrets []string) remask {
	m := mask.New(secrets)
	return remask{masker: m, log: m.Stream()}
}

// output hides secrets in output of the log, also those that came in pieces. What it returns lives until the next call.
func (r *remask) output(data []byte) []byte {
	if r.log == nil {
		return data
	}
	r.shown = r.log.Append(r.shown[:0], data)
	switch {
	case !r.log.Holds():
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = time.Now()
	}
	return r.shown
}

// rest returns what is held back, which nothing follows.
func (r *remask) rest() []byte {
	if r.log == nil {
		return nil
	}
	r.since = time.Time{}
	return r.log.Flush(nil)
}

// waits tells whether the end of the log is held back, and not for too long.
func (r *remask) waits() bool { return !r.since.IsZero() && time.Since(r.since) < holdMost }

// command hides secrets in a command's text.
func (r *remask) command(c *wire.CommandBegan) { c.Text = r.masker.String(c.Text) }

// phase hides secrets in what is told of a phase.
func (r *remask) phase(p *wire.PhaseEnded) {
	p.Code, p.Message = r.masker.String(p.Code), r.masker.String(p.Message)
}

// done hides secrets in the texts of a result.
func (r *remask) done(d *wire.Done) {
	if r.masker == nil {
		return
	}
	d.Reason, d.Message, d.Command = r.masker.String(d.Reason), r.masker.String(d.Message), r.masker.String(d.Command)
	if !slices.Contains(agentPhases, d.Phase) {
		d.Phase = r.masker.String(d.Phase)
	}
	for i := range d.Exported {
		d.Exported[i].Value = r.masker.String(d.Exported[i].Value)
	}
	if d.Artifacts != nil {
		d.Artifacts.Name = r.masker.String(d.Artifacts.Name)
	}
	for i := range d.Secondary {
		d.Secondary[i].Name = r.masker.String(d.Secondary[i].Name)
	}
	if d.Cache != nil {
		d.Cache.Key = r.masker.String(d.Cache.Key)
	}
	if d.Reports != nil {
		for i := range d.Reports.Groups {
			d.Reports.Groups[i].Name = r.masker.String(d.Reports.Groups[i].Name)
		}
	}
}

// cacheKeys hides secrets in the keys that are asked for, as done does in the key under which a cache is stored.
func (r *remask) cacheKeys(q *wire.CacheRequest) {
	if r.masker == nil {
		return
	}
	q.Key = r.masker.String(q.Key)
	for i := range q.Fallback {
		q.Fallback[i] = r.masker.String(q.Fallback[i])
	}
}

// settle is flush while more may come: it waits a little where the log ends with what may be the beginning of a
// secret. Nothing is lost by a crash meanwhile, since the cursor of the log does not move.
func (r *recorder) settle(ctx context.Context) error {
	if r.mask.waits() && !r.full() {
		r.armed = true
		r.timer.Reset(flushEvery)
		return nil
	}
	return r.flush(ctx)
}
