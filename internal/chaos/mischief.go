package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// What outages are called.
const (
	engineCut    = "the engine was cut off"
	engineHung   = "the engine hung"
	gitFailed    = "the git remote failed"
	registryCut  = "the registry was cut off"
	registryHung = "the registry hung"
	diskFull     = "the disk was full"
	serviceDied  = "a service was killed"
)

// storm does its mischief until there were as many kills as asked for. It returns how many there were.
func (w *world) storm(ctx context.Context) (kills int, err error) {
	w.users.begin(ctx)
	defer w.users.stop()
	s := &storm{w: w, c: w.chance.fork(w.seed, 1)}
	defer s.kept.work.Wait()
	defer s.mend()
	end := w.began.Add(w.limit)
	for s.kills < w.kills && time.Now().Before(end) && ctx.Err() == nil {
		if err := s.step(ctx); err != nil {
			return s.kills, err
		}
		if s.kills/calmEvery > s.calms && s.kills < w.kills {
			s.calms = s.kills / calmEvery
			if err := s.calm(ctx); err != nil {
				return s.kills, err
			}
		}
	}
	if s.kills < w.kills {
		w.say("time is up", "after %d of %d kills", s.kills, w.kills)
	}
	s.mend()
	s.kept.work.Wait()
	w.say("kept", "%d upgrades in place, %d backups laid out, %d parts of traces collected", s.kept.upgrades, s.kept.whole.Load(), w.collector.parts.Load())
	return s.kills, s.rise("")
}

// calmEvery is after how many kills everything is left alone until all builds have ended.
const calmEvery = 40

// storm is the mischief in progress.
type storm struct {
	w      *world
	c      *chance
	kills  int
	calms  int
	jumps  int
	kept   keeping
	outage func() // ends the one that lasts; nil: there is none
	until  time.Time
}

// step does one thing. A daemon that has died at its point meanwhile is counted and followed by the next.
func (s *storm) step(ctx context.Context) error {
	if s.outage != nil && time.Now().After(s.until) {
		s.mend()
	}
	if s.w.daemon.ended() {
		return s.after()
	}
	switch n := s.c.below(100); {
	case n < 60:
		return s.killDaemon(ctx)
	case n < 76:
		s.killBox(ctx)
	case n < 86:
		s.outageBegins()
	case n < 92:
		return s.jump()
	case n < 96:
		return s.upgrade()
	default:
		s.backup(ctx)
	}
	s.wait(s.c.between(100*time.Millisecond, time.Second))
	return nil
}

// wait waits, or until the daemon dies at its point.
func (s *storm) wait(d time.Duration) (died bool) {
	select {
	case <-s.w.daemon.gone:
		return true
	case <-time.After(d):
		return false
	}
}

// killDaemon lets the daemon live for a while, longer where it is to die by itself, and kills it.
func (s *storm) killDaemon(ctx context.Context) error {
	if err := s.provoke(ctx); err != nil {
		return err
	}
	lives := s.c.between(50*time.Millisecond, 2500*time.Millisecond)
	if s.w.daemon.point != "" {
		lives += pointWait
	}
	if !s.wait(lives) {
		s.w.daemon.kill()
		s.w.judge.event("kill", "the daemon, at a random moment")
		s.kills++
		return s.next()
	}
	return s.after()
}

// after follows the death of a daemon that nobody of us killed.
func (s *storm) after() error {
	d := s.w.daemon
	switch {
	case d.atPoint():
		name, _, _ := strings.Cut(d.point, ":")
		s.w.points.hit(name)
		s.w.judge.event("kill", "the daemon, at %s", d.point)
		s.kills++
	case s.w.disk != nil && s.outage != nil:
		s.w.judge.event("left", "the daemon ended by itself, %v, in an outage", d.cmd.ProcessState)
		s.mend()
	default:
		return fmt.Errorf("the daemon ended by itself: %v", d.cmd.ProcessState)
	}
	return s.next()
}

// pointWait is how much longer a daemon lives that is to die by itself.
const pointWait = 3 * time.Second

// next starts the next daemon, three times of four to die at a point.
func (s *storm) next() error {
	point := ""
	if s.c.below(4) > 0 {
		point = fmt.Sprintf("%s:%d", s.w.points.arm(), 1+s.c.below(2)*s.c.below(2))
	}
	return s.rise(point)
}

func (s *storm) rise(point string) error {
	if !s.w.daemon.ended() {
		s.w.daemon.kill()
	}
	err := s.w.daemon.start(point, false)
	if err != nil && s.outage != nil {
		s.w.judge.event("slow", "%v; ending the outage", err)
		s.mend()
		s.w.daemon.kill()
		err = s.w.daemon.start("", false)
	}
	if err == nil && point == "" && s.w.daemon.ended() && s.outage == nil {
		err = errors.New("the daemon ended while it started")
	}
	return err
}

// killBox kills a container of the daemon's, or the agent in it.
func (s *storm) killBox(ctx context.Context) {
	out, err := dockerSays(ctx, "ps", "-q", "--filter", "label=runner.instance="+s.w.daemon.instance)
	boxes := strings.Fields(out)
	if err != nil || len(boxes) == 0 {
		return
	}
	box := boxes[s.c.below(len(boxes))]
	build := s.ofBox(ctx, box)
	switch s.c.below(3) {
	case 0:
		err = docker(ctx, "kill", box)
		s.w.judge.event("kill", "container %s, of %s", box, build)
	case 1:
		err = docker(ctx, "rm", "-f", box)
		s.w.judge.event("kill", "container %s, of %s, and removed it", box, build)
	default:
		var pid string
		if pid, err = dockerSays(ctx, "inspect", "-f", "{{.State.Pid}}", box); err == nil && strings.TrimSpace(pid) != "0" {
			err = exec.Command("kill", "-9", strings.TrimSpace(pid)).Run()
		}
		s.w.judge.event("kill", "the agent in container %s, of %s", box, build)
	}
	if err == nil {
		s.kills++
	}
}

// ofBox notes that a container is killed, and with it the job that it is of: it may be that of a service.
func (s *storm) ofBox(ctx context.Context, box string) (build string) {
	sandbox, _ := dockerSays(ctx, "inspect", "-f", `{{index .Config.Labels "runner.sandbox"}}`, box)
	out, _ := dockerSays(ctx, "ps", "-q", "--filter", "label=runner.sandbox="+strings.TrimSpace(sandbox))
	build = "no build that was heard of"
	heard := false
	for _, b := range strings.Fields(out) {
		if of, known := s.w.witness.ranIn(b); known {
			build, heard = of, true
		}
	}
	s.w.judge.killed(append(strings.Fields(out), box), heard)
	if service, _ := dockerSays(ctx, "inspect", "-f", `{{index .Config.Labels "runner.service"}}`, box); strings.TrimSpace(service) != "" {
		s.w.judge.begins(serviceDied)()
	}
	return build
}

// outageBegins takes something away for a while, one thing at a time.
func (s *storm) outageBegins() {
	if s.outage != nil {
		return
	}
	if what, begin, end := s.drawOutage(); begin != nil {
		s.takeAway(what, begin, end)
	}
}

// takeAway begins an outage, which mend ends.
func (s *storm) takeAway(what string, begin, end func()) {
	lasts := s.c.between(200*time.Millisecond, 4*time.Second)
	over := s.w.judge.begins(what)
	s.w.judge.event("outage", "%s for %s", what, lasts.Round(100*time.Millisecond))
	begin()
	s.until = time.Now().Add(lasts)
	s.outage = func() { end(); over() }
}

func (s *storm) drawOutage() (what string, begin, end func()) {
	cable := func(c *cable, wasCut, wasHung string) (string, func(), func()) {
		if c == nil {
			return "", nil, nil
		}
		if s.c.below(2) == 0 {
			return wasCut, func() { c.set(cut) }, func() { c.set(whole) }
		}
		return wasHung, func() { c.set(hung) }, func() { c.set(whole) }
	}
	switch s.c.below(7) {
	case 0, 1, 2:
		return cable(s.w.engine, engineCut, engineHung)
	case 3, 4:
		state := []remoteState{breaks, refuses, stands}[s.c.below(3)]
		return gitFailed, func() { s.w.git.set(state) }, func() { s.w.git.set(answers) }
	case 5:
		return cable(s.w.registry, registryCut, registryHung)
	}
	if s.w.disk == nil {
		return "", nil, nil
	}
	return diskFull, s.w.disk.fill, s.w.disk.free
}

// mend ends the outage that lasts.
func (s *storm) mend() {
	if s.outage != nil {
		s.outage()
		s.outage = nil
	}
}

// jump makes the daemon's clock jump, while it runs.
func (s *storm) jump() error {
	if s.w.clock == nil {
		return nil
	}
	to := []time.Duration{0, -time.Hour, time.Hour, -36 * time.Hour, 36 * time.Hour, 5 * time.Second, -5 * time.Second}[s.c.below(7)]
	s.w.judge.event("clock", "to %s from ours", to)
	s.jumps++
	return s.w.clock.set(to)
}

// calmWait bounds how long everything may take to come to rest.
const calmWait = 3 * time.Minute

// calm leaves everything alone until all builds have ended.
func (s *storm) calm(context.Context) error {
	s.mend()
	if err := s.rise(""); err != nil {
		return err
	}
	began := time.Now()
	still := make(chan struct{})
	go func() { s.w.users.rest.Lock(); close(still) }()
	select {
	case <-still:
	case <-s.w.daemon.gone:
		return fmt.Errorf("the daemon ended by itself while it was left alone: %v", s.w.daemon.cmd.ProcessState)
	case <-time.After(calmWait):
		return fmt.Errorf("not all builds have ended within %s of calm", calmWait)
	}
	s.w.users.rest.Unlock()
	v := s.w.judge.verdict()
	s.w.say("calm", "%d kills, %d clock jumps; %s; all ended after %s; %d lost, %d doubled, %d leaked", s.kills, s.jumps, s.w.judge.counts(), time.Since(began).Round(100*time.Millisecond), v.lost, v.doubled, v.leaked)
	return nil
}
