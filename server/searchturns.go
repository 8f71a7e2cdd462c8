package server

import (
	"context"
	"net/netip"
	"sync"
)

// searchers is how many search logs at a time: each may take a core.
const searchers = 2

// searchTurns gives those who search their turns: some at a time, each of them once, and all strangers together once. So nobody
// waits for more than one search of any other, and strangers leave a place to those who have a token.
type searchTurns struct {
	all chan struct{}

	mu  sync.Mutex
	own map[searcher]*ownTurn
}

// searcher is whose turn it is: a name or, of strangers, an address; empty stands for all strangers.
type searcher struct {
	name    string
	network netip.Prefix
}

// ownTurn is had by one request at a time.
type ownTurn struct {
	turn  chan struct{}
	users int // that have it or wait for it, under the lock of searchTurns
}

func newSearchTurns() *searchTurns {
	return &searchTurns{all: make(chan struct{}, searchers), own: map[searcher]*ownTurn{}}
}

// enter waits for a turn. Whoever has it calls leave.
func (s *searchTurns) enter(ctx context.Context, who *identity) (leave func(), err error) {
	whose := []searcher{{name: who.name}}
	if who.nobody {
		address, _ := netip.ParseAddr(who.address)
		whose = []searcher{{network: networkOf(address)}, {}}
	}
	var leaves []func()
	leave = func() {
		for _, one := range leaves {
			one()
		}
	}
	for _, one := range whose {
		turn := s.join(one)
		leaves = append(leaves, func() { s.part(one, turn) })
		if err := take(ctx, turn.turn); err != nil {
			leave()
			return nil, err
		}
		leaves = append(leaves, func() { <-turn.turn })
	}
	if err := take(ctx, s.all); err != nil {
		leave()
		return nil, err
	}
	leaves = append(leaves, func() { <-s.all })
	return leave, nil
}

// take waits for a place in a channel.
func take(ctx context.Context, places chan<- struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *searchTurns) join(who searcher) *ownTurn {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.own[who]
	if turn == nil {
		turn = &ownTurn{turn: make(chan struct{}, 1)}
		s.own[who] = turn
	}
	turn.users++
	return turn
}

func (s *searchTurns) part(who searcher, turn *ownTurn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn.users--; turn.users == 0 {
		delete(s.own, who)
	}
}
