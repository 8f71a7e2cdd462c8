package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// fate is what was done wrong to a build or to the machine.
type fate int

const (
	lost fate = iota
	doubled
	leaked
)

func (f fate) String() string { return [...]string{"LOST", "DOUBLED", "LEAKED"}[f] }

// judge keeps what was done to the daemon, and what came of it.
type judge struct {
	w *world

	mu        sync.Mutex
	events    []string
	outages   []*outage
	boxes     map[string]bool // containers that were killed, by the first twelve digits of their ids
	strays    int             // containers that were killed and that no job was heard of
	found     [3]int
	ends      map[string]int // builds by how they ended
	retried   int            // attempts that followed a fault
	reference map[string]string
}

// outage is a time in which something was away that builds need.
type outage struct {
	what     string
	from, to time.Time // to is zero while it lasts
}

// after is how long after an outage a build may still end because of it.
const after = 20 * time.Second

func newJudge(w *world) *judge {
	return &judge{w: w, boxes: make(map[string]bool), ends: make(map[string]int), reference: make(map[string]string)}
}

// event notes and tells what is done.
func (j *judge) event(word, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.mu.Lock()
	j.events = append(j.events, fmt.Sprintf("%.1fs %s %s", time.Since(j.w.began).Seconds(), word, text))
	if len(j.events) > 8 {
		j.events = j.events[1:]
	}
	j.mu.Unlock()
	j.w.say(word, "%s", text)
}

// violation tells what must not be, and what came before it.
func (j *judge) violation(f fate, format string, args ...any) {
	j.mu.Lock()
	j.found[f]++
	before := slices.Clone(j.events)
	j.mu.Unlock()
	j.w.say(f.String(), format, args...)
	j.w.say("before it", "%s", strings.Join(before, "; "))
}

// begins notes an outage; call end when it is over.
func (j *judge) begins(what string) (end func()) {
	o := &outage{what: what, from: time.Now()}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.outages = append(j.outages, o)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		o.to = time.Now()
	}
}

// killed notes that a container was killed, with all that belong to the same job, and whether anything was heard of that.
func (j *judge) killed(boxes []string, heard bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, box := range boxes {
		j.boxes[box] = true
	}
	if !heard {
		j.strays++
	}
}

// excuse is what was done to a build, or to all that it needs, in its time.
type excuse struct {
	killed bool     // a container of its was
	what   []string // was away
}

func (e excuse) String() string {
	all := slices.Clone(e.what)
	if e.killed {
		all = append(all, "its container was killed")
	}
	return strings.Join(all, ", ")
}

func (e excuse) none() bool { return !e.killed && len(e.what) == 0 }

// disk tells whether the disk was full: then the job's own commands can fail, too.
func (e excuse) disk() bool { return slices.Contains(e.what, diskFull) }

// reasons are how those begin that a FAULT may have when something was away.
var reasons = map[string][]string{
	engineCut: ofEngine, engineHung: ofEngine, gitFailed: {"source"}, registryCut: {"image"}, registryHung: {"image"}, serviceDied: {"service", "sandbox"},
}

var (
	ofEngine    = []string{"engine", "provisioning", "image", "sandbox", "spool"}
	ofContainer = []string{"sandbox", "agent", "provisioning", "service"}
)

// covers tells whether a FAULT of that reason can come of what was done.
func (e excuse) covers(reason string) bool {
	begins := func(word string) bool { return strings.HasPrefix(reason, word) }
	if e.disk() || e.killed && slices.ContainsFunc(ofContainer, begins) {
		return true
	}
	return slices.ContainsFunc(e.what, func(what string) bool { return slices.ContainsFunc(reasons[what], begins) })
}

// excuse says what was done to a build.
func (j *judge) excuse(r *request) (e excuse) {
	heard := j.w.witness.of(r.build)
	j.mu.Lock()
	defer j.mu.Unlock()
	e.killed = slices.ContainsFunc(heard, func(t testimony) bool { return j.boxes[t.box] })
	for _, o := range j.outages {
		if o.what == serviceDied && !r.kind.serves {
			continue
		}
		if o.to.IsZero() || o.to.Add(after).After(r.at) {
			e.what = append(e.what, o.what)
		}
	}
	return e
}

// stray spends one killed container that no job was heard of, for a build whose own was killed before it began.
func (j *judge) stray() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.strays == 0 {
		return false
	}
	j.strays--
	return true
}

// verdict is what all came to.
type verdict struct{ lost, doubled, leaked int }

func (v verdict) bad() bool { return v.lost+v.doubled+v.leaked > 0 }

func (j *judge) verdict() verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	return verdict{j.found[lost], j.found[doubled], j.found[leaked]}
}

// ended counts a build.
func (j *judge) ended(how string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ends[how]++
}

// again counts attempts that followed a fault.
func (j *judge) again(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.retried += n
}

func (j *judge) counts() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var parts []string
	n := 0
	for how, count := range j.ends {
		n += count
		parts = append(parts, fmt.Sprintf("%d %s", count, how))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d builds judged, %s; %d attempts after a fault", n, strings.Join(parts, ", "), j.retried)
}
