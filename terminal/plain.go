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
	var unbegun crowd
	for _, job := range b.Jobs {
		if v.several && job.State == "ended" && job.Attempt == 0 && !v.told[job.ID] {
			unbegun.add(cause(job), job)
			v.told[job.ID] = true
			continue
		}
		v.tellEnd(job)
	}
	unbegun.tell(v, func(job client.Job) string { return jobVerdict(v.o, job) })
	if lines := v.o.firstFailing(b); len(lines) > 0 {
		v.end()
		v.o.Lines(lines...)
	}
	v.tick()
}

// crowd collects jobs of which the same is to be said.
type crowd struct {
	words []string // in the order in which they came
	jobs  map[string][]client.Job
}

func (c *crowd) add(word string, job client.Job) {
	if c.jobs == nil {
		c.jobs = map[string][]client.Job{}
	}
	if len(c.jobs[word]) == 0 {
		c.words = append(c.words, word)
	}
	c.jobs[word] = append(c.jobs[word], job)
}

// fewJobs is of how many jobs the same is said one by one.
const fewJobs = 8

// tell says it of each job, or of many together.
func (c *crowd) tell(v *plainView, line func(client.Job) string) {
	for _, word := range c.words {
		jobs := c.jobs[word]
		if len(jobs) > fewJobs {
			v.o.Lines("[" + Number(len(jobs)) + " jobs] " + oneLine(word))
			continue
		}
		for _, job := range jobs {
			v.o.Lines(v.prefix(job) + line(job))
		}
	}
}

// tick says what waiting jobs wait for, once it is longer than a moment.
func (v *plainView) tick() {
	var waiting crowd
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
			waiting.add(job.Why, job)
		}
	}
	waiting.tell(v, func(job client.Job) string { return oneLine(job.Why) })
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
