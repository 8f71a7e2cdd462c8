package docker

import (
	"sync"

	"github.com/docker/docker/api/types/container"
)

// madeBox is what this process knows of a sandbox because it made it. Of others the engine is asked.
type madeBox struct {
	container string              // the engine's id
	alone     bool                // the engine has nothing of the sandbox's but its container
	pid       int                 // of its first process; 0: not known
	limits    container.Resources // as it was made
	making    string              // LabelMaking
	wired     bool                // LabelWired
	joined    bool                // this process joined it to its network, or saw that it was
}

type madeBoxes struct {
	mu  sync.Mutex
	all map[string]madeBox
}

func (m *madeBoxes) get(id string) (madeBox, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.all[id]
	return b, ok
}

func (m *madeBoxes) put(id string, b madeBox) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[string]madeBox{}
	}
	m.all[id] = b
}

// note changes what is known of a sandbox, if anything is.
func (m *madeBoxes) note(id string, change func(*madeBox)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.all[id]; ok {
		change(&b)
		m.all[id] = b
	}
}

func (m *madeBoxes) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
}
