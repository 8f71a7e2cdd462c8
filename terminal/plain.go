package terminal

import (
	"bytes"

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
	why     map[string]string // what each job was last said to wait for
	done    map[string]bool   // jobs whose log is complete
	told    map[string]bool   // jobs whose end was said
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
		v.buffers, v.why = map[string]*lineBuffer{}, map[string]string{}
		v.done, v.told = map[string]bool{}, map[string]bool{}
		v.o.Lines(Header(b))
	}
	for _, job := range b.Jobs {
		if job.Why != v.why[job.ID] && job.State != "ended" && job.Attempt == 0 {
			v.why[job.ID] = job.Why
			if job.Why != "" {
				v.o.Lines(v.prefix(job) + "waits: " + oneLine(job.Why))
			}
		}
		v.tellEnd(job)
	}
}

// tellEnd says how one of several jobs ended, after the last line of its log.
func (v *plainView) tellEnd(job client.Job) {
	if !v.several || job.State != "ended" || v.told[job.ID] || (job.Attempt > 0 && !v.done[job.ID]) {
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

func (v *plainView) tick() {}

func (v *plainView) end() {
	if v.midLine {
		v.o.Lines("")
		v.midLine = false
	}
}
