package runner

import "github.com/runner-ci/runner/runner/wire"

// resumeWith takes a request to go on at a breakpoint, and keeps it until the agent says that it did.
func (s *session) resumeWith(req ResumeRequest, open bool) {
	if !open {
		s.attempt.Resume = nil
		return
	}
	if s.rec.paused != nil && !*s.rec.paused {
		s.log.Info("the build does not wait at a breakpoint, so there is nothing to resume", "by", req.By)
		return
	}
	s.resume = &wire.Resume{By: req.By, Pause: req.Pause}
}

// resumed forgets a request that the agent has obeyed.
func (s *session) resumed(f wire.Frame) {
	if f.Kind == wire.KindResumed {
		s.resume = nil
	}
}

// tellAgain sends what a connection that broke may not have brought to the agent.
func (s *session) tellAgain(p *pump) error {
	if s.resume != nil {
		if err := p.send(*s.resume); err != nil {
			return err
		}
	}
	if s.stop != nil {
		return p.stop(*s.stop)
	}
	return nil
}
