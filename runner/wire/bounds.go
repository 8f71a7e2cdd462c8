package wire

import "slices"

// Bounds on lists, and on the names that an agent may say many of. A name is bounded by what it takes as JSON, where a
// control character takes six bytes, so that Done fits an agent's line whatever is in it.
const (
	// MaxSecondary is how many secondary artifacts are taken; CodeBuild has twelve.
	MaxSecondary = 64
	// MaxReportGroups is how many groups of reports are taken, declared and discovered ones together.
	MaxReportGroups = 32
	// MaxReportFiles is how many files all reports of a job may have.
	MaxReportFiles = 10_000
	// DefaultReportBytes is what all reports of a job may have where its limits name no bytes.
	DefaultReportBytes = 256 << 20
	// MaxSecondaryName is what Done has room for of the name of a secondary artifact, in bytes of JSON.
	MaxSecondaryName = 192
	// MaxFallback is how many fallback keys are taken; CodeBuild has five.
	MaxFallback = 16

	// MaxTestResults is how many items of a batch have results of their own: the failed first, the rest is divided.
	MaxTestResults = 1000
	// MaxFailedTests is how many tests the results of a batch name, MaxFailedTest what one name takes in bytes of JSON. An
	// item with more names none.
	MaxFailedTests = 100
	MaxFailedTest  = 512

	maxWanted   = 16       // runtimes that are asked for at a time
	maxKey      = 1 << 10  // of a key of a cache, which is more than is stored: it is refused there with words
	maxGroup    = 256      // of the name of a report group
	maxOutcome  = 16       // of the word for a test's end
	maxNames    = 32 << 10 // of all failed tests that the results of a batch name
	maxWelcomed = 4 << 10  // of the attempt that Welcome names
	maxDoneText = 8 << 10  // of each text for people in Done
)

// fit returns the longest beginning of text that takes at most n bytes as JSON.
func fit(text string, n int) string {
	for i, r := range text {
		if n -= encodedLen(r); n < 0 {
			return text[:i]
		}
	}
	return text
}

// encodedLen is what a character takes in JSON at most.
func encodedLen(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case r < 0x20, r == '<', r == '>', r == '&', r == 0x2028, r == 0x2029, r == 0xFFFD: // the last is what no character is read as
		return 6
	}
	return len(string(r))
}

// listLen is what a list of texts takes in JSON at most.
func listLen(texts []string) (n int) {
	for _, text := range texts {
		n += len(`"",`)
		for _, r := range text {
			n += encodedLen(r)
		}
	}
	return n
}

func most[T any](list []T, n int) []T { return slices.Clip(list[:min(len(list), n)]) }

// bounded leaves a name that is too long for an artifact store too long, so that it is refused there with words.
func (a Artifacts) bounded() Artifacts {
	a.ID, a.File, a.Name = fit(a.ID, maxWord), fit(a.File, maxWord), fit(Cut(a.Name), maxDoneText)
	return a
}

func (d Done) bounded() Done {
	d.Status, d.Reason, d.Phase = fitWord(d.Status), fitWord(d.Reason), fitWord(d.Phase)
	d.Message, d.Command = fit(Cut(d.Message), maxDoneText), fit(Cut(d.Command), maxDoneText)
	if d.Artifacts != nil {
		a := d.Artifacts.bounded()
		d.Artifacts = &a
	}
	if d.Secondary != nil {
		d.Secondary = slices.Clone(most(d.Secondary, MaxSecondary))
		for i, a := range d.Secondary {
			d.Secondary[i] = a.bounded()
			d.Secondary[i].Name = fit(a.Name, MaxSecondaryName)
		}
	}
	if d.Reports != nil {
		r := d.Reports.bounded()
		d.Reports = &r
	}
	if d.Cache != nil {
		c := d.Cache.bounded()
		d.Cache = &c
	}
	if d.CacheUse != nil {
		u := *d.CacheUse
		u.Paths = fit(u.Paths, 2*maxWord)
		d.CacheUse = &u
	}
	d.Exported = boundedExports(d.Exported)
	return d
}

func tooLong(test string) bool { return fit(test, MaxFailedTest) != test }

func fitWord[T ~string](s T) T { return T(fit(string(s), maxWord)) }

// boundedExports leaves out what does not fit, and no variable in part.
func boundedExports(vars []Var) []Var {
	if vars == nil {
		return nil
	}
	kept, left := make([]Var, 0, len(vars)), MaxExported
	for _, v := range vars {
		need := len(`{"name":"","value":""},`)
		for _, r := range v.Name + v.Value {
			if need += encodedLen(r); need > left {
				break
			}
		}
		if need <= left {
			kept, left = append(kept, v), left-need
		}
	}
	return kept
}

func (r Reports) bounded() Reports {
	r.File = fit(r.File, maxWord)
	if r.Groups != nil {
		r.Groups = slices.Clone(most(r.Groups, MaxReportGroups))
		for i, g := range r.Groups {
			r.Groups[i].Name, r.Groups[i].Format = fit(g.Name, maxGroup), fit(g.Format, maxWord/4)
		}
	}
	return r
}

func (e Early) bounded() Early {
	e.Groups = Reports{Groups: e.Groups}.bounded().Groups
	return e
}

func (c Cache) bounded() Cache {
	c.File, c.Key, c.Paths = fit(c.File, maxWord), fit(c.Key, maxKey), fit(c.Paths, 2*maxWord)
	return c
}

// bounded leaves a table that is too long by one byte too long, so that it is refused with words.
func (r Request) bounded() Request {
	if r.Cache != nil {
		c := CacheRequest{Key: fit(r.Cache.Key, maxKey), Paths: fit(r.Cache.Paths, 2*maxWord), Empty: r.Cache.Empty}
		c.Dirs = boundedDirs(r.Cache.Dirs)
		for _, key := range most(r.Cache.Fallback, MaxFallback) {
			c.Fallback = append(c.Fallback, fit(key, maxKey))
		}
		r.Cache = &c
	}
	if r.Runtimes != nil {
		t := RuntimesRequest{File: most(r.Runtimes.File, MaxRuntimesFile+1)}
		for _, v := range most(r.Runtimes.Want, maxWanted) {
			t.Want = append(t.Want, Var{fit(v.Name, maxWord), fit(v.Value, maxWord)})
		}
		r.Runtimes = &t
	}
	if r.Tests != nil {
		t := r.Tests.bounded()
		r.Tests = &t
	}
	return r
}

// boundedDirs are all of them or none: of a part nothing can be mounted.
func boundedDirs(dirs []string) []string {
	if len(dirs) > MaxCacheDirs {
		return nil
	}
	for _, dir := range dirs {
		if fit(dir, maxKey) != dir {
			return nil
		}
	}
	return dirs
}

func (t TestsRequest) bounded() TestsRequest {
	t.Call.Phase = fit(t.Call.Phase, maxWord)
	if t.Join != nil {
		j := *t.Join
		j.Strategy = fit(j.Strategy, maxWord)
		t.Join = &j
	}
	if t.Done != nil {
		d := *t.Done
		d.Results = slices.Clone(most(d.Results, MaxTestResults))
		named, left := 0, maxNames
		for i, r := range d.Results {
			d.Results[i].Outcome = fit(r.Outcome, maxOutcome)
			d.Results[i].Tests, d.Results[i].Failed = nil, nil
			if need := listLen(r.Tests); need <= left && named+len(r.Tests) <= MaxFailedTests && !slices.ContainsFunc(r.Tests, tooLong) {
				d.Results[i].Tests, named, left = r.Tests, named+len(r.Tests), left-need
			}
			if need := listLen(r.Failed); need <= left && len(r.Failed) <= MaxFailedTests {
				d.Results[i].Failed, left = r.Failed, left-need
			}
		}
		t.Done = &d
	}
	return t
}
