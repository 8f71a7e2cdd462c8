//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io"

	"github.com/runner-ci/runner/runner/wire"
)

// converse answers what daemons say, one after the other, until the way in closes.
func (a *agent) converse(in io.Reader) error {
	r := wire.NewReader(in)
	for {
		f, err := r.Read()
		var version *wire.VersionError
		switch {
		case errors.As(err, &version):
			a.refuse(version.Error())
		case err != nil:
			return err
		default:
			a.hear(f)
		}
	}
}

func (a *agent) hear(f wire.Frame) {
	switch f.Kind {
	case wire.KindHello:
		var hello wire.Hello
		if wire.Decode(f, &hello) == nil {
			a.hello(hello)
		}
	case wire.KindJob:
		job := new(wire.Job)
		if a.heard && wire.Decode(f, job) == nil {
			a.take(job)
		}
	case wire.KindStop:
		var stop wire.Stop
		if a.heard && wire.Decode(f, &stop) == nil {
			a.stop(stop)
		}
	case wire.KindResume:
		var resume wire.Resume
		if a.heard && wire.Decode(f, &resume) == nil {
			a.resume(resume)
		}
	case wire.KindAnswer:
		var answer wire.Answer
		if a.heard && wire.Decode(f, &answer) == nil {
			a.requests.hear(answer)
		}
	}
}

// hello begins an attach, or refuses a daemon that another has replaced.
func (a *agent) hello(hello wire.Hello) {
	a.heard = false
	switch {
	case hello.Protocol != wire.Protocol:
		a.refuse((&wire.VersionError{Got: hello.Protocol}).Error())
		return
	case hello.Epoch < a.epoch:
		a.refuse(fmt.Sprintf("epoch %d is over: a daemon of epoch %d has taken this sandbox over", hello.Epoch, a.epoch))
		return
	}
	a.epoch, a.heard = hello.Epoch, true
	newest := a.spool.newest()
	a.requests.welcome(func(open *wire.Request) {
		a.transport.restart(min(hello.LastFrame, newest), line(wire.Welcome{
			Protocol: wire.Protocol, Version: Version, Epoch: a.epoch, Attempt: a.attempt, LastFrame: newest, Request: open,
		}))
	})
}

// take takes the one job of this life.
func (a *agent) take(job *wire.Job) {
	switch a.attempt {
	case job.Attempt:
		return // sent again by a daemon that could not know
	case "":
		a.attempt = job.Attempt
		a.jobs <- job
	default:
		a.refuse(fmt.Sprintf("this sandbox runs %s and takes no other attempt (%s)", a.attempt, job.Attempt))
	}
}

// stop passes the first request on; later ones ask for what is happening already.
func (a *agent) stop(stop wire.Stop) {
	status := stop.Status
	if status != wire.StatusTimedOut && status != wire.StatusFailed {
		status = wire.StatusStopped
	}
	why := &ending{status: status, reason: stop.Reason, message: "the build was stopped", grace: graceOf(stop.GraceMillis)}
	if stop.Reason != "" {
		why.message += ": " + stop.Reason
	}
	select {
	case a.stops <- why:
	default:
	}
}

// resume passes on that somebody lets the build go on. Without a breakpoint nobody takes it.
func (a *agent) resume(resume wire.Resume) {
	select {
	case a.resumes <- resume:
	default:
	}
}

func (a *agent) refuse(reason string) {
	a.transport.notify(line(wire.Refused{Reason: reason}))
}

// line encodes an answer that is not part of the record. Its number is 0.
func line(body wire.Body) []byte {
	f, err := wire.Encode(0, body)
	if err != nil {
		return nil
	}
	text, err := wire.AppendFrame(nil, f)
	if err != nil {
		return nil
	}
	return text
}
