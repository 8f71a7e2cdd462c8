package terminal

import (
	"bytes"
	"time"

	"github.com/runner-ci/runner/client"
)

// plainView is the view for pipes and files: every line once, in order, nothing redrawn. One job's log is passed on
// as it is, byte by byte; several jobs' lines begin with the job's name.
type plainView struct {
	o       *Output
	several bool
	header  bool
	midLine bool // raw output has not ended its line
	buffers map[string]*lineBuffer
	why     map[string]string    // what each job was last said to wait for
	since   map[string]time.Time // when a job began to wait for something
	wait    time.Duration        // how long it must before that is told
	done    map[string]bool      // jobs whose log is complete
	told    map[string]bool      // jobs whose end was said
	build   client.Build
}

func (v *plainView) update(b client.Build) {
	v.build = b
	if len(b.Jobs) == 0 {
		return
	}
	if !v.header {
		v.header = true
		v.several = len(b.Jobs) > 1
		v.buffers, v.why, v.since = map[string]*lineBuffer{}, map[string]string{}, map[string]time.Time{}
		v.done, v.told = map[string]bool{}, map[string]bool{}
		v.o.Lines(Header(b))
	}
	for _, job := range b.Jobs {
		v.tellEnd(job)
	}
	v.tick()
}

// tick says what waiting jobs wait for, once it is longer than a moment.
func (v *plainView) tick() {
	for _, job := range v.build.Jobs {
		waits := job.Why != "" && (job.State == "queued" || job.State == "blocked" || !job.Paused.IsZero())
		if !waits {
			delete(v.since, job.ID)
			continue
		}
		if _, known := v.since[job.ID]; !known {
			v.since[job.ID] = time.Now()
		}
		if job.Why != v.why[job.ID] && time.Since(v.since[job.ID]) >= v.wait {
			v.why[job.ID] = job.Why
			v.o.Lines(v.prefix(job) + oneLine(job.Why))
		}
	}
}

// tellEnd says how one of several jobs ended, after the last line of its log.
func (v *plainView) tellEnd(job client.Job) {
	if !v.several || job.State != "ended" || v.told[job.ID] || (job.Attempt > 0 && job.TakenFrom == "" && !v.done[job.ID]) {
		return
	}
	v.told[job.ID] = true
	v.o.Lines(v.prefix(job) + jobVerdict(v.o, job))
}

func (v *plainView) prefix(job client.Job) string {
	if !v.several {
		return ""
	}
	return "[" + oneLine(job.Name) + "] "
}

func (v *plainView) log(job client.Job, text []byte) {
	if !v.several {
		_, _ = v.o.Write(text)
		v.midLine = text[len(text)-1] != '\n'
		return
	}
	v.buffer(job).add(text, func(line []byte) { v.line(job, line) })
}

func (v *plainView) buffer(job client.Job) *lineBuffer {
	if v.buffers[job.ID] == nil {
		v.buffers[job.ID] = &lineBuffer{}
	}
	return v.buffers[job.ID]
}

func (v *plainView) line(job client.Job, line []byte) {
	_, _ = v.o.Write(bytes.Join([][]byte{[]byte(v.prefix(job)), line, []byte("\n")}, nil))
}

func (v *plainView) drained(job client.Job) {
	if !v.several {
		return
	}
	v.buffer(job).flush(func(line []byte) { v.line(job, line) })
	v.done[job.ID] = true
	for _, now := range v.build.Jobs {
		if now.ID == job.ID {
			v.tellEnd(now)
		}
	}
}

func (v *plainView) end() {
	if v.midLine {
		v.o.Lines("")
		v.midLine = false
	}
}
