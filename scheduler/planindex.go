package scheduler

import (
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
)

// planIndex finds the jobs of a plan, and what depends on each, without a walk through all of them: a batch can have
// ten thousand.
type planIndex struct {
	at         map[string]int // job id → place in the plan, which is that of its row
	dependents [][]int        // by the place of a job: places of those that depend on it
}

func newPlanIndex(plan *buildspec.Plan) *planIndex {
	x := &planIndex{at: make(map[string]int, len(plan.Jobs)), dependents: make([][]int, len(plan.Jobs))}
	for i := range plan.Jobs {
		x.at[plan.Jobs[i].ID] = i
	}
	for i := range plan.Jobs {
		for _, id := range plan.Jobs[i].DependsOn {
			if on, ok := x.at[id]; ok {
				x.dependents[on] = append(x.dependents[on], i)
			}
		}
	}
	return x
}

// indexed returns the index of a build's plan, which it makes when there is none yet.
func (b *Build) indexed() *planIndex {
	if b.index == nil {
		plan := b.Plan
		if plan == nil {
			plan = &buildspec.Plan{}
		}
		b.index = newPlanIndex(plan)
	}
	return b.index
}

// planJob finds a job in a build's plan.
func planJob(b *Build, id string) (*buildspec.Job, error) {
	if i, ok := b.indexed().at[id]; ok {
		return &b.Plan.Jobs[i], nil
	}
	return nil, fmt.Errorf("job %s of build %s is not in its plan", id, b.ID())
}

// plans keeps the plans of builds that run, which never change once they are stored: each transition of a job needs
// its build's, and reading a large one takes longer than the rest of the transition.
type plans struct {
	mu   sync.Mutex
	kept map[string]keptPlan // by the build's key
}

type keptPlan struct {
	plan  *buildspec.Plan
	index *planIndex
}

// maxPlans bounds how many plans are kept. Any of them can be read again.
const maxPlans = 64

func (p *plans) get(key []byte) (keptPlan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.kept[string(key)]
	return k, ok
}

func (p *plans) put(key []byte, k keptPlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = make(map[string]keptPlan)
	}
	for other := range p.kept {
		if len(p.kept) < maxPlans {
			break
		}
		delete(p.kept, other)
	}
	p.kept[string(key)] = k
}

func (p *plans) drop(key []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, string(key))
}

// load is getBuild for builds that run: their plans are read once.
func (s *Scheduler) load(tx *bbolt.Tx, key []byte) (*Build, error) {
	k, known := s.plans.get(key)
	if !known {
		b, err := getBuild(tx, key)
		if err == nil && b.Plan != nil && !b.Status.Ended() {
			s.plans.put(key, keptPlan{b.Plan, b.indexed()})
		}
		return b, err
	}
	b, err := get[Build](tx, bucketBuilds, key)
	if err != nil {
		return nil, err
	}
	if b.Status.Ended() {
		s.plans.drop(key)
	}
	b.Plan, b.index = k.plan, k.index
	return b, nil
}
