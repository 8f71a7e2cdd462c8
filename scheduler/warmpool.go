package scheduler

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/runner-ci/runner/runner"
)

// warmPool is the picture of the sandboxes that wait for a job, and of how many are worth having. It decides, and does
// nothing itself. All that is in a row stands in it from before the row is stored until the sandbox is gone or has a job.
type warmPool struct {
	mu       sync.Mutex
	boxes    map[string]*warmBox // by sandbox id
	demands  map[warmKind]*warmDemand
	starting int       // sandboxes that are being made for a job
	removing int       // sandboxes that are being removed
	newest   time.Time // when a job was last given a sandbox
	why      string    // no more of them wait
	short    string    // what the machine lacked when it was last asked
	kick     chan struct{}
}

// warmKind is what a sandbox is made for: jobs of an image on an engine, with a network.
type warmKind struct {
	engine, image string
	network       runner.Network
}

// warmBox is one sandbox without a job.
type warmBox struct {
	id     string
	kind   warmKind
	limits runner.Limits // it was made with
	made   time.Time
	state  warmState
	usable bool // of one that was found: this daemon would make it the same way
}

type warmState int

const (
	warmFound  warmState = iota // a former daemon's; whether it can be used is to be seen
	warmMaking                  // it is being made
	warmReady                   // its agent waits
	warmTaken                   // it is about to get a job, or about to be removed
)

// warmDemand is how much jobs of a kind have been wanted lately.
type warmDemand struct {
	image   runner.Image // as the newest job names it
	limits  runner.Limits
	running int    // jobs that hold a sandbox
	peaks   []peak // the most at once, falling
	used    time.Time
	retry   time.Time // not to be tried before: making one failed
	failed  int       // how often in a row
}

// peak is how many jobs of a kind ran at once when one of them began or ended.
type peak struct {
	at time.Time
	n  int
}

const (
	// warmWindow is how long a use of an image counts: as long as people wait for a build before they push again.
	warmWindow = 15 * time.Minute
	// warmCalm is how long nothing must have been started before a sandbox is made that nobody waits for yet: engines
	// make containers one after the other, and each that is made ahead would delay one that is needed.
	warmCalm = 300 * time.Millisecond
	// warmCalmBusy is the same while jobs wait for a slot: those that run are long ones then, and the engine is idle.
	warmCalmBusy = 5 * time.Second
	// warmRetry lies before the second try to make a sandbox of a kind; it doubles up to warmRetryMost.
	warmRetry     = 5 * time.Second
	warmRetryMost = 5 * time.Minute
)

func newWarmPool() *warmPool {
	return &warmPool{boxes: make(map[string]*warmBox), demands: make(map[warmKind]*warmDemand), kick: make(chan struct{}, 1)}
}

// want is what a job needs of a sandbox that was made ahead.
type want struct {
	kind   warmKind
	image  runner.Image
	limits runner.Limits
}

// take notes that a job needs a sandbox and chooses one that waits, nil when there is none: one with the job's limits
// before one whose limits can be changed to them. Who takes calls either gave or keep.
func (p *warmPool) take(w want, now time.Time) *warmBox {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(w, now)
	var best *warmBox
	for _, b := range p.boxes {
		if b.state != warmReady && (b.state != warmFound || !b.usable) || b.kind != w.kind || !fits(b.limits, w.limits) {
			continue
		}
		better := best == nil || b.made.Before(best.made)
		if best != nil && (b.limits == w.limits) != (best.limits == w.limits) {
			better = b.limits == w.limits
		}
		if better {
			best = b
		}
	}
	if best != nil {
		best.state = warmTaken
	}
	return best
}

// fits tells whether a sandbox can be given a job's limits: no engine lifts one of memory or of CPUs.
func fits(made, job runner.Limits) bool {
	return (made.CPUs == 0 || job.CPUs != 0) && (made.MemoryBytes == 0 || job.MemoryBytes != 0)
}

// began notes that a job runs which took nothing from the pool.
func (p *warmPool) began(w want, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(w, now)
}

func (p *warmPool) begin(w want, now time.Time) {
	for kind, d := range p.demands { // the tag of an image was moved
		if kind.engine == w.kind.engine && kind.network == w.kind.network && kind != w.kind && d.image.Ref == w.image.Ref && d.running == 0 {
			d.peaks = nil
		}
	}
	d := p.demand(w.kind)
	d.image, d.limits, d.used = w.image, w.limits, now
	d.running++
	d.peak(now, d.running)
	p.newest = now
}

func (p *warmPool) demand(kind warmKind) *warmDemand {
	d := p.demands[kind]
	if d == nil {
		d = new(warmDemand)
		p.demands[kind] = d
	}
	return d
}

// ended notes that a job of a kind holds its sandbox no longer.
func (p *warmPool) ended(kind warmKind, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.demands[kind]; d != nil && d.running > 0 {
		d.peak(now, d.running)
		d.used = now
		d.running--
	}
	p.wake()
}

// gave forgets a sandbox: it has a job now, or is gone. keep makes it wait again.
func (p *warmPool) gave(b *warmBox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.boxes, b.id)
	p.wake()
}

func (p *warmPool) keep(b *warmBox) { p.turn(b, warmReady) }

func (p *warmPool) turn(b *warmBox, state warmState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.state = state
}

// enter puts a sandbox into the picture.
func (p *warmPool) enter(b *warmBox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.boxes[b.id] = b
}

func (p *warmPool) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boxes[id] != nil
}

// count adds to the sandboxes that are being made for jobs, and to those that are being removed.
func (p *warmPool) count(starting, removing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting += starting
	p.removing += removing
	p.wake()
}

// leaving is how many sandboxes are being removed.
func (p *warmPool) leaving() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.removing
}

// fails notes that no sandbox of a kind could be made.
func (p *warmPool) fails(kind warmKind, why string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
	d := p.demand(kind)
	d.retry = now.Add(min(warmRetry<<min(d.failed, 10), warmRetryMost))
	d.failed++
}

// ready notes that a sandbox waits for its job.
func (p *warmPool) ready(b *warmBox, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.state, b.made, p.why = warmReady, now, ""
	p.demand(b.kind).failed = 0
}

func (p *warmPool) wake() { wake(p.kick) }

// peak notes how many jobs ran at once. Older, lower peaks say nothing any more.
func (d *warmDemand) peak(now time.Time, n int) {
	for len(d.peaks) > 0 && d.peaks[len(d.peaks)-1].n <= n {
		d.peaks = d.peaks[:len(d.peaks)-1]
	}
	d.peaks = append(d.peaks, peak{now, n})
}

// most is the highest peak within the window.
func (d *warmDemand) most(now time.Time) int {
	for len(d.peaks) > 0 && now.Sub(d.peaks[0].at) > warmWindow {
		d.peaks = d.peaks[1:]
	}
	if len(d.peaks) == 0 {
		return 0
	}
	return d.peaks[0].n
}

// warmWork is what is to be done next.
type warmWork struct {
	drop []*warmBox // to be removed
	look *warmBox   // of a former daemon's making: can it be used?
	make *want
}

// next decides what to do so that at most limit sandboxes wait, those of the images used last first. What it names is
// taken. Removals come at once; nothing is made while something is started or removed, or was a moment ago. Busy is that
// jobs wait for a slot.
func (p *warmPool) next(limit int, busy bool, now time.Time) (work warmWork) {
	p.mu.Lock()
	defer p.mu.Unlock()
	short := p.plan(limit, now, &work)
	calm := warmCalm
	if busy {
		calm = warmCalmBusy
	}
	if len(work.drop) > 0 || p.starting > 0 || p.removing > 0 || now.Sub(p.newest) < calm {
		return work
	}
	for _, b := range p.boxes {
		if b.state == warmFound {
			b.state, work.look = warmMaking, b
			return work
		}
	}
	if short != nil {
		d := p.demands[*short]
		work.make = &want{kind: *short, image: d.image, limits: d.limits}
	}
	return work
}

// plan shares the limit out. It names what is too much, and returns the kind that lacks one most urgently, if any.
func (p *warmPool) plan(limit int, now time.Time, work *warmWork) (short *warmKind) {
	kinds := slices.SortedFunc(maps.Keys(p.demands), func(a, b warmKind) int {
		return cmp.Or(p.demands[b].used.Compare(p.demands[a].used), cmp.Compare(a.engine, b.engine), cmp.Compare(a.image, b.image), cmp.Compare(a.network, b.network))
	})
	waiting := make(map[warmKind][]*warmBox)
	for _, b := range p.boxes {
		if b.state != warmTaken {
			waiting[b.kind] = append(waiting[b.kind], b)
		}
	}
	left := limit
	for _, kind := range kinds {
		d := p.demands[kind]
		n := min(d.most(now), left)
		left -= n
		have := waiting[kind]
		delete(waiting, kind)
		p.surplus(have, n, work)
		if short == nil && len(have) < n && !now.Before(d.retry) {
			short = &kind
		}
		if n == 0 && d.running == 0 && len(have) == 0 && len(d.peaks) == 0 {
			delete(p.demands, kind)
		}
	}
	for _, have := range waiting {
		p.surplus(have, 0, work)
	}
	return short
}

// surplus drops those of a kind that wait beyond n, the oldest first.
func (p *warmPool) surplus(have []*warmBox, n int, work *warmWork) {
	slices.SortFunc(have, func(a, b *warmBox) int { return a.made.Compare(b.made) })
	for _, b := range have {
		if len(have)-n <= 0 {
			return
		}
		n++
		if b.state == warmMaking {
			continue // whoever makes it sees to it
		}
		b.state = warmTaken
		work.drop = append(work.drop, b)
	}
}

// found enters a sandbox of a former daemon, and counts it as wanted.
func (p *warmPool) found(b *warmBox, image runner.Image, now time.Time) {
	p.enter(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.demand(b.kind)
	d.image, d.limits, d.used = image, b.limits, now
	d.peak(now, d.most(now)+1)
}
