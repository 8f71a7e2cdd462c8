// Package activity is what the long-lived goroutines of a process do right now.
//
// Each of them runs below Run, which lists it for as long as it lives, and marks it, and every goroutine that it starts,
// with the profiler label "task": a profile of a running daemon says whose each goroutine is, and a test that walks one
// holds the list complete. A nil registry and a nil task take everything and keep nothing.
package activity

import (
	"context"
	"maps"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

// Label is the profiler label that has a task's name.
const Label = "task"

// Registry lists the tasks of one process.
type Registry struct {
	// Failed, if set, is called with the name of a task that has said an error. Set it before the first Run.
	Failed func(task string)

	mu    sync.Mutex
	tasks map[string]*Task
}

// Task is one goroutine that lives long, or all that come and go for one purpose.
type Task struct {
	registry *Registry

	mu    sync.Mutex
	state State
}

// State is what a task says of itself.
type State struct {
	Name  string
	About string // what it is for, a clause
	Many  bool   // it stands for goroutines that come and go
	Count int    // of those that live
	Doing string // right now; "" is waiting
	Since time.Time
	Beats uint64 // how often it began to do something
	Error string // the last one
	At    time.Time
}

// Run runs f in this goroutine as the task of that name, until f returns.
func (r *Registry) Run(name, about string, f func(*Task)) { r.run(name, about, false, f) }

// Many is Run for one of several goroutines that do the same and come and go: connections, jobs.
func (r *Registry) Many(name, about string, f func(*Task)) { r.run(name, about, true, f) }

func (r *Registry) run(name, about string, many bool, f func(*Task)) {
	if r == nil {
		f(nil)
		return
	}
	t := r.enter(name, about, many)
	defer r.leave(t)
	pprof.Do(context.Background(), pprof.Labels(Label, name), func(context.Context) { f(t) })
}

// Mark calls f, so that the goroutines that it starts bear the name of a task, which is listed from then on: for a package
// that starts its own goroutines and knows nothing of this one.
func (r *Registry) Mark(name, about string, f func() error) (err error) {
	if r == nil {
		return f()
	}
	r.enter(name, about, true)
	pprof.Do(context.Background(), pprof.Labels(Label, name), func(context.Context) { err = f() })
	return err
}

func (r *Registry) enter(name, about string, many bool) *Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tasks == nil {
		r.tasks = make(map[string]*Task)
	}
	t := r.tasks[name]
	if t == nil {
		t = &Task{registry: r, state: State{Name: name, About: about, Many: many, Since: time.Now()}}
		r.tasks[name] = t
	}
	t.mu.Lock()
	t.state.Count++
	t.mu.Unlock()
	return t
}

// leave drops a task that has ended. One that stands for many stays, with what it said last.
func (r *Registry) leave(t *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Count--; t.state.Count == 0 && !t.state.Many {
		delete(r.tasks, t.state.Name)
	}
}

// States are all tasks, by name.
func (r *Registry) States() (out []State) {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.tasks))
	r.mu.Unlock()
	for _, t := range all {
		t.mu.Lock()
		out = append(out, t.state)
		t.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b State) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Does says what the task does from now on.
func (t *Task) Does(what string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.Doing, t.state.Since = what, time.Now()
	t.state.Beats++
}

// Waits says that it waits for something to do, and what came of the last thing; nil is no error, and leaves the last one
// to be read.
func (t *Task) Waits(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.state.Doing, t.state.Since = "", time.Now()
	if err != nil {
		t.state.Error, t.state.At = err.Error(), t.state.Since
	}
	name := t.state.Name
	t.mu.Unlock()
	if err != nil && t.registry.Failed != nil {
		t.registry.Failed(name)
	}
}
