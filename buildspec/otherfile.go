package buildspec

import (
	"cmp"
	"errors"
	"fmt"
	"path"
)

// Bounds on the other files that a batch names, over all of them: each costs as much as the first to read.
const (
	maxFiles     = 100
	maxFileBytes = 4 << 20
)

// file is what the jobs of another file have in common; "" is the file itself. Each file is read once, and what is
// wrong with it is told once.
func (p *planner) file(name string, at mark) base {
	if name == "" || name == path.Clean(p.spec.File) {
		return p.own(at)
	}
	if known, ok := p.named[name]; ok {
		return known
	}
	b := p.other(name, at)
	p.named[name] = b
	return b
}

func (p *planner) own(at mark) base {
	if p.spec.noPhases {
		p.fail(at, complaint{
			message: "this file has no phases for the job to run",
			hint:    "name another file, or add phases: to this one",
		})
		return base{}
	}
	own, ok := p.named[""]
	if !ok {
		own = p.base()
		p.named[""] = own
	}
	return own
}

func (p *planner) other(name string, at mark) base {
	if p.opts.Read == nil {
		j := Job{Buildspec: name, Version: p.spec.Version, Image: cmp.Or(p.spec.Env.Image, p.opts.Image), Shell: shells[0]}
		return base{job: j, size: j.size(), ok: true}
	}
	if len(p.named) >= maxFiles {
		p.fail(at, complaint{
			message: fmt.Sprintf("this batch names more than %d other files", maxFiles),
			hint:    "let jobs share a file, and tell them apart by env.variables",
		})
		return base{}
	}
	data, err := p.opts.Read(name)
	if err != nil {
		p.fail(at, complaint{
			message: fmt.Sprintf("%s cannot be read: %v", shorten(name), err),
			hint:    "commit the file, or correct its path; paths begin at the root of the repository",
		})
		return base{}
	}
	if p.read += len(data); p.read > maxFileBytes {
		p.fail(at, complaint{
			message: fmt.Sprintf("the files that this batch names have more than %d bytes together", maxFileBytes),
			hint:    "move long scripts into files of the repository, and call them",
		})
		return base{}
	}
	return p.parseOther(name, data)
}

func (p *planner) parseOther(name string, data []byte) base {
	spec, err := Parse(name, data)
	if err == nil {
		err = spec.asOther()
	}
	var wrong *Error
	if errors.As(err, &wrong) {
		p.others = append(p.others, wrong.Problems...)
		p.broken = true
		return base{}
	}
	p.others = append(p.others, spec.Warnings...)
	return baseOf(spec, cmp.Or(p.spec.Env.Image, p.opts.Image))
}

// asOther judges a file that is named by the batch of another one: it must have phases, and its own batch counts
// for nothing.
func (s *Spec) asOther() error {
	rep := newReport(s.src)
	if s.noPhases {
		rep.fail(s.Batch.at, complaint{
			message: "this file has no phases, and the batch of another file names it: batches cannot be nested",
			hint:    "add phases: with build: and its commands: as a list",
		})
		return rep.err()
	}
	if s.Batch != nil {
		rep.warn(s.Batch.at, complaint{
			message: "this batch is ignored, because the batch of another file names this file: batches cannot be nested",
			hint:    "keep it, if the file is built on its own too",
		})
		s.Warnings = append(s.Warnings, rep.problems()...)
	}
	return nil
}
