package daemon

import (
	"github.com/runner-ci/runner/client"
)

const (
	// outboxShown and outboxDropped are how many items the status shows that wait, and that were dropped.
	outboxShown   = 20
	outboxDropped = 10
)

// outboxStatus is what the outside has yet to be told, and what it never will be.
func (p *parts) outboxStatus() (s client.Outbox) {
	box := p.scheduler.Outbox()
	s.Items, s.Dropped = []client.OutboxItem{}, []client.OutboxItem{}
	waiting, all, err := box.Waiting(outboxShown)
	if err != nil {
		p.log.Error("reading the outbox for the status", "error", err)
		return s
	}
	s.Waiting = all
	for _, w := range waiting {
		s.Items = append(s.Items, client.OutboxItem{
			Kind: w.Kind, To: w.Lane, Project: w.Project, Build: w.Build, Since: w.Put, Tries: w.Tries, Next: w.Next, Error: w.Error,
		})
	}
	records, err := box.Records(outboxDropped)
	if err != nil {
		p.log.Error("reading the outbox for the status", "error", err)
		return s
	}
	for _, r := range records {
		s.Dropped = append(s.Dropped, client.OutboxItem{
			Kind: r.Kind, To: r.Lane, Project: r.Project, Build: r.Build, Since: r.Put, Tries: r.Tries, Dropped: r.At, Error: r.Why,
		})
	}
	return s
}
