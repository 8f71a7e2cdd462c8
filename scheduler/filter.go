package scheduler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/runner-ci/runner/config"
)

// facts are what a trigger's filters are judged by.
type facts struct {
	t       *Trigger
	owner   string // of the repository
	repo    string
	git     *gitFacts // nil: nobody has looked yet
	unknown []string  // what could not be told, for the trigger's record
}

// gitFacts are what the repository itself says of a trigger's commit.
type gitFacts struct {
	message   string
	noMessage string // why the message is not known
	files     []string
	looked    bool   // for files
	noFiles   string // why the files are not known
}

// judgement is what comes of judging: yes, no, or that git has to be asked.
type judgement int

const (
	no judgement = iota
	yes
	ask
)

// judge tells whether a project builds what a trigger is about; where it does not, why, and whether a check that somebody
// requires may count as passed.
func (f *facts) judge(p *Project) (v judgement, reason string, passed bool) {
	if !judged(f.t) {
		return yes, "", false
	}
	v, reason = f.event(p)
	if v == no {
		return no, reason, false
	}
	word, reason := f.skipWord(p)
	if word == no {
		return no, reason, false
	}
	paths, reason := f.paths(p)
	if paths == no && v == yes && word == yes { // a success is told only where nothing else speaks against a build
		return no, reason, true
	}
	if v == ask || word == ask || paths != yes {
		return ask, "", false
	}
	return yes, "", false
}

// judged tells whether filters hold for a trigger: they choose among what happens in a repository, never what a person or
// a clock asks for.
func judged(t *Trigger) bool {
	return slices.Contains([]TriggerKind{KindPush, KindTag, KindPullRequest, KindRelease}, t.Kind)
}

// event judges by a project's filter groups, or by the kind of event where it has none.
func (f *facts) event(p *Project) (judgement, string) {
	if len(p.Filters) > 0 {
		return f.groups(p.Filters)
	}
	if reason := unasked(f.t); reason != "" {
		return no, reason
	}
	return yes, ""
}

// groups tells whether one of the groups lets a trigger through. If none does, the reason is that of the nearest: the one of
// which the most filters matched.
func (f *facts) groups(groups []config.FilterGroup) (v judgement, reason string) {
	nearest, most := "", -1
	for i, group := range groups {
		got, matched, why := f.group(group)
		if got > v {
			v = got
		}
		if got == yes {
			return yes, ""
		}
		if got == no && matched > most {
			most, nearest = matched, "the filter "+why
			if len(groups) > 1 {
				nearest = fmt.Sprintf("no filter group matches: in the nearest, %d of %d, %s", i+1, len(groups), why)
			}
		}
	}
	return v, nearest
}

// group tells whether all filters of a group match, how many do, and of the first that does not why. What needs git is
// looked at last, and only where the rest matches.
func (f *facts) group(group config.FilterGroup) (v judgement, matched int, why string) {
	v = yes
	for _, git := range []bool{false, true} {
		for _, x := range group {
			if asksGit(x) != git {
				continue
			}
			got, how := f.filter(x)
			switch {
			case got == yes:
				matched++
			case got == ask && v == yes:
				v = ask
			case got == no && why == "":
				v, why = no, how
			}
		}
		if v == no {
			break
		}
	}
	return v, matched, why
}

func asksGit(x config.Filter) bool {
	return x.Type == config.FilterFilePath || x.Type == config.FilterCommitMessage
}

// filter judges one filter, and says of one that does not match why.
func (f *facts) filter(x config.Filter) (judgement, string) {
	values, v := f.values(x.Type)
	if v != yes {
		return v, ""
	}
	if values == nil {
		return yes, "" // it cannot be known, which was noted
	}
	match := func(value string) bool { return false }
	if x.Type == config.FilterEvent {
		match = func(value string) bool { return slices.Contains(x.Events(), value) }
	} else if re, err := regexp.Compile(x.Pattern); err == nil {
		match = re.MatchString
	}
	at := slices.IndexFunc(values, match)
	if (at >= 0) != x.ExcludeMatchedPattern {
		return yes, ""
	}
	name := fmt.Sprintf("%s %s ", x.Type, shown(x.Pattern))
	switch {
	case at >= 0:
		return no, name + "keeps out " + shown(values[at])
	case len(values) == 0:
		return no, name + "matches nothing: " + f.nothing(x.Type)
	case x.Type == config.FilterFilePath && len(values) > 1:
		return no, fmt.Sprintf("%smatches none of the %d files changed", name, len(values))
	}
	return no, name + "does not match " + shown(values[0])
}

// nothing says of an event what it does not have.
func (f *facts) nothing(kind string) string {
	if kind == config.FilterFilePath {
		return "no file changed"
	}
	if kind == config.FilterActor && f.t.polled() {
		return "a look at the remote does not see who pushed, and only a webhook tells"
	}
	return "the event has none"
}

// values are what a filter's pattern is compared with; empty where the event has no such thing, nil where it cannot be told.
func (f *facts) values(kind string) ([]string, judgement) {
	one := func(s string) ([]string, judgement) {
		if s == "" {
			return []string{}, yes
		}
		return []string{s}, yes
	}
	release := f.t.Event == "RELEASED" || f.t.Event == "PRERELEASED"
	switch kind {
	case config.FilterEvent:
		return one(eventOf(f.t))
	case config.FilterActor:
		return one(f.t.ActorID)
	case config.FilterHeadRef:
		if f.t.HeadRef != "" {
			return one(f.t.HeadRef)
		}
		return one(f.t.Ref)
	case config.FilterBaseRef:
		return one(f.t.BaseRef)
	case config.FilterTagName:
		if tag, ok := strings.CutPrefix(f.t.Ref, "refs/tags/"); ok && release {
			return one(tag)
		}
		return []string{}, yes
	case config.FilterReleaseName:
		if release {
			return one(f.t.Release)
		}
		return []string{}, yes
	case config.FilterRepository:
		return one(f.repo)
	case config.FilterOrganization:
		return one(f.owner)
	case config.FilterCommitMessage:
		return f.message()
	case config.FilterFilePath:
		return f.files("filters on FILE_PATH count as matched")
	}
	return []string{}, yes
}

// eventOf is CodeBuild's word for what happened. Forges say it of what they tell; a push that we saw ourselves has none.
func eventOf(t *Trigger) string {
	if t.Event == "" && (t.Kind == KindPush || t.Kind == KindTag) {
		return "PUSH"
	}
	return t.Event
}

func (f *facts) message() ([]string, judgement) {
	switch {
	case f.git == nil:
		return nil, ask
	case f.git.noMessage != "":
		f.note("the commit's message is not known (" + f.git.noMessage + "), so filters on COMMIT_MESSAGE count as matched")
		return nil, yes
	}
	return []string{f.git.message}, yes
}

// files are those that changed, with what follows where that is not known.
func (f *facts) files(then string) ([]string, judgement) {
	switch {
	case f.git == nil || !f.git.looked:
		return nil, ask
	case f.git.noFiles != "":
		f.note("which files changed is not known (" + f.git.noFiles + "), so " + then)
		return nil, yes
	case f.git.files == nil:
		return []string{}, yes
	}
	return f.git.files, yes
}

func (f *facts) note(text string) {
	if !slices.Contains(f.unknown, text) {
		f.unknown = append(f.unknown, text)
	}
}

// paths judges by a project's patterns of files. They hold for pushes to branches and for pull requests: a tag changes no
// file of its own.
func (f *facts) paths(p *Project) (judgement, string) {
	branch := f.t.Kind == KindPullRequest || (f.t.Kind == KindPush && strings.HasPrefix(f.t.Ref, "refs/heads/"))
	if !branch || len(p.Paths)+len(p.PathsIgnore) == 0 {
		return yes, ""
	}
	files, v := f.files("paths and paths-ignore do not hold")
	if v != yes || files == nil {
		return v, ""
	}
	matches := func(globs []string, file string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool { return config.MatchPath(glob, file) })
	}
	for _, file := range files {
		if (len(p.Paths) == 0 || matches(p.Paths, file)) && !matches(p.PathsIgnore, file) {
			return yes, ""
		}
	}
	switch {
	case len(p.Paths) > 0:
		return no, "no file under " + listed(p.Paths) + " changed" + but(p.PathsIgnore)
	case len(files) > 0:
		return no, "only files under " + listed(p.PathsIgnore) + " changed"
	}
	return yes, "" // an empty commit, as people make to have something built
}

func but(ignored []string) string {
	if len(ignored) == 0 {
		return ""
	}
	return ", but for what paths-ignore has"
}

// listed names the first few of some patterns.
func listed(globs []string) string {
	const most = 3
	names := make([]string, 0, most)
	for _, glob := range globs[:min(len(globs), most)] {
		names = append(names, shown(glob))
	}
	if rest := len(globs) - most; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), rest)
	}
	return strings.Join(names, ", ")
}

// shown is text from a payload, from git or from a setting as it goes into a reason: one line, of bounded length.
func shown(s string) string {
	const most = 80
	s, _, more := strings.Cut(s, "\n")
	if runes := []rune(s); len(runes) > most {
		s, more = string(runes[:most]), true
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
	if more {
		s += "…"
	}
	return s
}
