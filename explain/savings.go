package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// Of tells where the time of a build went, and what would have saved some.
func Of(in Input) client.Explanation {
	b := read(in)
	out := client.Explanation{
		Build: in.Build.ID(), Status: string(in.Build.Status), Created: in.Build.Created,
		Seconds: max(0, b.end.Sub(in.Build.Created).Seconds()), Savings: []client.Saving{},
	}
	path, through := b.path()
	out.Path, out.Waits = append([]client.Step{}, path...), b.waits(path, through)
	if taken := b.taken(); taken != "" {
		out.Notes = append(out.Notes, taken)
	}
	if b.planned.IsZero() {
		return out
	}
	p := b.plays()
	if p.note != "" {
		out.Notes = append(out.Notes, p.note)
	}
	for _, s := range []*client.Saving{p.slots(), p.shards(), p.warm(), p.cache(out.Path), p.green()} {
		if s != nil && s.Seconds >= max(least.Seconds(), out.Seconds/100) {
			out.Savings = append(out.Savings, *s)
		}
	}
	slices.SortStableFunc(out.Savings, func(x, y client.Saving) int { return cmp.Compare(y.Seconds, x.Seconds) })
	if p.longest != "" {
		out.Notes = append(out.Notes, p.longest)
	}
	return out
}

// least is what a saving has to be to be told of, and a hundredth of the build.
const least = 100 * time.Millisecond

// taken tells of jobs that did not run, since their results were there.
func (b *build) taken() string {
	n, from := 0, ""
	for i := range b.Jobs {
		if b.Jobs[i].TakenFrom != "" {
			n, from = n+1, b.Jobs[i].TakenFrom
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d jobs did not run: their results are those of %s", n, len(b.Jobs), from)
}

// plays compares plays of a build.
type plays struct {
	*build
	was     time.Duration // the play of what happened
	off     bool          // the model does not hold
	note    string        // why
	longest string        // what more shards cannot help
}

// farOff is by how much the play of what happened may differ from what happened: by a fifth, and what polling costs.
func farOff(was, really time.Duration) bool {
	return (was - really).Abs() > really/5+500*time.Millisecond
}

func (b *build) plays() *plays {
	p := &plays{build: b}
	was, _, err := b.play(change{})
	really := time.Duration(0)
	for i := range b.Jobs {
		if b.Jobs[i].TakenFrom == "" {
			really = max(really, b.ended(b.Jobs[i].EndedAt).Sub(b.planned))
		}
	}
	p.was = was
	if err != nil || farOff(was, really) {
		p.off = true
		p.note = fmt.Sprintf("no figures for slots, shards and sandboxes: played again, this build takes %s, and it took %s", brief(was), brief(really))
	}
	return p
}

// saved is by how much a change would have ended the build earlier.
func (p *plays) saved(c change) (saved time.Duration, slots int) {
	if p.off {
		return 0, 0
	}
	end, slots, err := p.play(c)
	if err != nil {
		return 0, 0
	}
	return p.was - end, slots
}

func (p *plays) slots() *client.Saving {
	saved, slots := p.saved(change{slots: true})
	s := &client.Saving{Kind: client.SaveSlots, Seconds: saved.Seconds(), Text: fmt.Sprintf("a slot for each of its jobs at once: %d", slots), Do: "slots in runner.yml, if the machine can bear more jobs"}
	if p.MaxJobs > 0 && p.MaxJobs < slots {
		s.Do = fmt.Sprintf("the project may have %d at once: max-jobs", p.MaxJobs)
	}
	return s
}

// shards finds the number of shards from which on more of them save next to nothing. They are worth it only where they save
// a twentieth of the build more than slots for those that there are.
func (p *plays) shards() *client.Saving {
	run := p.suite()
	if run == nil || p.off {
		return nil
	}
	n := len(p.Jobs)
	var best time.Duration
	counts, saves := []int{}, []time.Duration{}
	for _, count := range []int{n + 1, n + n/2, 2 * n, 3 * n, 4 * n} {
		if count <= n || count > min(len(run.Real), buildspec.MaxParallelism) || len(counts) > 0 && count <= counts[len(counts)-1] {
			continue
		}
		saved, _ := p.saved(change{slots: true, shards: count})
		counts, saves = append(counts, count), append(saves, saved)
		best = max(best, saved)
	}
	alone, _ := p.saved(change{slots: true})
	for i, saved := range saves {
		if saved < best-best/20 || saved-max(alone, 0) < max(least, p.was/20) {
			continue
		}
		s := &client.Saving{
			Kind: client.SaveShards, Seconds: saved.Seconds(), AtMost: mostlyDivided(run.Real),
			Text: fmt.Sprintf("%d shards in place of %d, each with a slot: the queue played again with what each of %d tests took", counts[i], n, len(run.Real)),
			Do:   fmt.Sprintf("parallelism: %d, or runner submit --shards %d", counts[i], counts[i]),
		}
		if s.AtMost {
			s.Text += ", as far as that is known: many ran in one batch"
		}
		return s
	}
	p.longest = longestTest(run, p.was)
	return nil
}

// mostlyDivided tells that more than a fifth of the tests' time is not measured but divided evenly: really some take longer
// than others, and more shards save less.
func mostlyDivided(real []item) bool {
	var all, divided time.Duration
	for _, it := range real {
		if all += it.Took; !it.Known {
			divided += it.Took
		}
	}
	return divided > all/5
}

// longestTest names a test that alone takes most of the time.
func longestTest(run *scheduler.TestRun, whole time.Duration) string {
	most := slices.MaxFunc(run.Real, func(x, y item) int { return cmp.Compare(x.Took, y.Took) })
	if most.Took < whole/2 || most.Took < time.Second {
		return "more shards would have saved next to nothing"
	}
	return fmt.Sprintf("more shards would have saved next to nothing: %s alone took %s", most.Name, brief(most.Took))
}

// warm plays the build with sandboxes that wait for their jobs.
func (p *plays) warm() *client.Saving {
	s := &client.Saving{Kind: client.SaveWarm, Do: "warm in runner.yml; runner status says what keeps sandboxes from waiting"}
	start := p.Starts.Warm
	if p.Starts.Warms == 0 {
		start, s.AtMost = 0, true
	}
	cold, longest := 0, time.Duration(0)
	less := func(j *scheduler.Job) (d time.Duration) {
		for n := range j.Attempts {
			if a := &j.Attempts[n]; !a.Warm {
				d += max(0, startOf(a)-start)
			}
		}
		return d
	}
	for i := range p.Jobs {
		if j := &p.Jobs[i]; own(j) && less(j) > 0 {
			cold++
			longest = max(longest, startOf(&j.Attempts[len(j.Attempts)-1]))
		}
	}
	if cold == 0 {
		return nil
	}
	saved, _ := p.saved(change{less: less})
	s.Seconds = saved.Seconds()
	s.Text = fmt.Sprintf("sandboxes made ahead: %d were made for their job, the slowest in %s", cold, brief(longest))
	if s.AtMost {
		s.Text += "; no job of this project had one that waited yet"
	} else {
		s.Text += fmt.Sprintf("; one that waits takes %s (median of %d)", brief(start), p.Starts.Warms)
	}
	return s
}

// startOf is what the sandbox of an attempt took to be ready.
func startOf(a *scheduler.Attempt) time.Duration {
	for _, ph := range a.Phases {
		if ph.Name == "PROVISIONING" && ph.Status == scheduler.Succeeded {
			return ph.Took
		}
	}
	return 0
}

// cache plays the build with the caches that its jobs name and were not given. Of a job that names none, only what its
// installation took on the path is known.
func (p *plays) cache(path []client.Step) *client.Saving {
	missed := 0
	less := func(j *scheduler.Job) time.Duration {
		return p.Caches[j.ID]
	}
	for i := range p.Jobs {
		if less(&p.Jobs[i]) > 0 {
			missed++
		}
	}
	if saved, _ := p.saved(change{less: less}); missed > 0 && saved >= least {
		return &client.Saving{
			Kind: client.SaveCache, Seconds: saved.Seconds(),
			Text: fmt.Sprintf("the caches that %d jobs name and were not given, by what they earn", missed),
			Do:   "runner caches ls shows which there are, and in which scope",
		}
	}
	var install float64
	name := ""
	for _, s := range path {
		if s.Phase == "INSTALL" && !p.names(s.Job) {
			install += s.Seconds
			name = s.Name
		}
	}
	if install < 5 {
		return nil
	}
	return &client.Saving{
		Kind: client.SaveCache, Seconds: install, AtMost: true,
		Text: "a cache of what INSTALL of " + name + " fetches: its buildspec names none",
		Do:   "cache: paths in the buildspec",
	}
}

// names tells whether a job's buildspec names a cache.
func (p *plays) names(job string) bool {
	i, known := p.at[job]
	return !known || p.Build.Plan == nil || i >= len(p.Build.Plan.Jobs) || p.Build.Plan.Jobs[i].Cache != nil
}

// green tells of a build that had proved the same tree.
func (p *plays) green() *client.Saving {
	if p.Green == nil || !p.Build.Status.Ended() {
		return nil
	}
	return &client.Saving{
		Kind: client.SaveGreen, Seconds: p.end.Sub(p.planned).Seconds(), AtMost: true,
		Text: fmt.Sprintf("green before push: %s had built the same tree, and was green", p.Green.ID()),
		Do:   "green-before-push of the project says which pushes take results over",
	}
}

// brief rounds a duration to what a person reads.
func brief(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 1:
		return fmt.Sprintf("%.2f s", s)
	case s < 59.95:
		return fmt.Sprintf("%.1f s", s)
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
}
