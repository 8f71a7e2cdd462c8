package scheduler

import (
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
)

// f writes a filter; a type that ends with ! keeps out what matches.
func f(kind, pattern string) config.Filter {
	kind, exclude := strings.CutSuffix(kind, "!")
	return config.Filter{Type: kind, Pattern: pattern, ExcludeMatchedPattern: exclude}
}

var (
	aPush = Trigger{Kind: KindPush, Event: "PUSH", Ref: "refs/heads/fast", HeadRef: "refs/heads/fast", ActorID: "42", Read: true}
	aTag  = Trigger{Kind: KindTag, Event: "PUSH", Ref: "refs/tags/v1", HeadRef: "refs/tags/v1", ActorID: "42", Read: true}
	aPull = Trigger{Kind: KindPullRequest, Event: "PULL_REQUEST_UPDATED", Ref: "refs/pull/7/head", HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", ActorID: "42", PullRequest: 7}
	aDrop = Trigger{Kind: KindRelease, Event: "RELEASED", Ref: "refs/tags/v1", HeadRef: "refs/tags/v1", Release: "The first"}
)

func TestFilterGroups(t *testing.T) {
	event := f("EVENT", "PUSH, PULL_REQUEST_UPDATED,RELEASED")
	git := &gitFacts{message: "Fix it\n\nReviewed-by: Ada", files: []string{"docs/a.md", "src/main.go"}, looked: true}
	none := &gitFacts{message: "Empty", looked: true}
	group := func(x ...config.Filter) []config.FilterGroup {
		return []config.FilterGroup{append(config.FilterGroup{event}, x...)}
	}
	for name, c := range map[string]struct {
		groups []config.FilterGroup
		t      Trigger
		git    *gitFacts
		want   judgement
		why    string
	}{
		"event":                                {group(), aPush, nil, yes, ""},
		"event that is not listed":             {[]config.FilterGroup{{f("EVENT", "PULL_REQUEST_MERGED")}}, aPush, nil, no, "the filter EVENT PULL_REQUEST_MERGED does not match PUSH"},
		"event kept out":                       {[]config.FilterGroup{{f("EVENT!", "PUSH")}}, aPush, nil, no, "the filter EVENT PUSH keeps out PUSH"},
		"an event is a word, not a pattern":    {[]config.FilterGroup{{f("EVENT", ".*")}}, aPush, nil, no, "does not match PUSH"},
		"searched, not anchored":               {group(f("HEAD_REF", "fas")), aPush, nil, yes, ""},
		"anchored where it says so":            {group(f("HEAD_REF", "^fast$")), aPush, nil, no, "HEAD_REF ^fast$ does not match refs/heads/fast"},
		"ref kept out":                         {group(f("HEAD_REF!", "^refs/heads/")), aPush, nil, no, "keeps out refs/heads/fast"},
		"tag by its ref":                       {group(f("HEAD_REF", "^refs/tags/v")), aTag, nil, yes, ""},
		"actor":                                {group(f("ACTOR_ACCOUNT_ID", "^(7|42)$")), aPush, nil, yes, ""},
		"base of a pull request":               {group(f("BASE_REF", "main$")), aPull, git, yes, ""},
		"base of a push":                       {group(f("BASE_REF", ".*")), aPush, nil, no, "matches nothing: the event has none"},
		"base of a push, turned round":         {group(f("BASE_REF!", "main")), aPush, nil, yes, ""},
		"release":                              {group(f("TAG_NAME", "^v1$"), f("RELEASE_NAME", "first")), aDrop, nil, yes, ""},
		"a tag that is pushed is no release":   {group(f("TAG_NAME", "^v1$")), aTag, nil, no, "the event has none"},
		"repository and organization":          {group(f("REPOSITORY_NAME", "^api$"), f("ORGANIZATION_NAME", "^example$")), aPush, nil, yes, ""},
		"files take a look":                    {group(f("FILE_PATH", "^src/")), aPush, nil, ask, ""},
		"message takes a look":                 {group(f("COMMIT_MESSAGE", "Ada")), aPush, nil, ask, ""},
		"no look where the rest fails":         {group(f("FILE_PATH", "^src/"), f("HEAD_REF", "main")), aPush, nil, no, "HEAD_REF main does not match"},
		"one file is enough":                   {group(f("FILE_PATH", "^src/")), aPush, git, yes, ""},
		"no file":                              {group(f("FILE_PATH", "^web/")), aPush, git, no, "FILE_PATH ^web/ matches none of the 2 files changed"},
		"nothing changed":                      {group(f("FILE_PATH", ".*")), aPush, none, no, "no file changed"},
		"one file kept out is enough":          {group(f("FILE_PATH!", "^docs/")), aPush, git, no, "FILE_PATH ^docs/ keeps out docs/a.md"},
		"the whole message":                    {group(f("COMMIT_MESSAGE", "Ada$")), aPush, git, yes, ""},
		"one group of several":                 {append(group(f("HEAD_REF", "main")), group(f("HEAD_REF", "fast"))...), aPush, nil, yes, ""},
		"a sure group spares the look":         {append(group(f("FILE_PATH", "x")), group(f("HEAD_REF", "fast"))...), aPush, nil, yes, ""},
		"a group that may match takes a look":  {append(group(f("HEAD_REF", "main")), group(f("FILE_PATH", "x"))...), aPush, nil, ask, ""},
		"the nearest group is named":           {append(group(f("HEAD_REF", "main"), f("ACTOR_ACCOUNT_ID", "9")), group(f("ACTOR_ACCOUNT_ID", "42"), f("HEAD_REF", "main"))...), aPush, nil, no, "of the nearest, number 2 of 2, the filter HEAD_REF main does not match"},
		"without filters, a push":              {nil, aPush, nil, yes, ""},
		"without filters, a pull request":      {nil, aPull, git, yes, ""},
		"without filters, a release":           {nil, aDrop, nil, no, "the push of its tag does"},
		"a release that is asked for":          {group(), aDrop, nil, yes, ""},
		"what a person asks for is not judged": {group(f("HEAD_REF", "main")), Trigger{Kind: KindManual, Ref: "refs/heads/fast"}, nil, yes, ""},
		"a retry is not judged":                {group(f("HEAD_REF", "main")), Trigger{Kind: KindRetry, Event: "PULL_REQUEST_MERGED", Ref: "refs/heads/fast"}, nil, yes, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Project{Project: config.Project{Filters: c.groups}}
			facts := &facts{t: &c.t, owner: "example", repo: "api", git: c.git}
			got, why, passed := facts.judge(p)
			if got != c.want || !strings.Contains(why, c.why) || (why == "") != (c.want != no) || passed {
				t.Errorf("got %v %q (passed %t), want %v %q", got, why, passed, c.want, c.why)
			}
			if facts.unknown != nil {
				t.Errorf("noted %q", facts.unknown)
			}
		})
	}
}

func TestWhatCannotBeToldCountsAsMatched(t *testing.T) {
	gone := &gitFacts{message: "x", noFiles: "the commit before the push is gone", looked: true}
	lost := &gitFacts{noMessage: "no answer", noFiles: "no answer", looked: true}
	groups := []config.FilterGroup{{f("EVENT", "PUSH"), f("FILE_PATH!", "^src/"), f("COMMIT_MESSAGE", "x")}}
	for _, c := range []struct {
		p     config.Project
		git   *gitFacts
		notes []string
	}{
		{config.Project{Filters: groups}, gone, []string{"which files changed is not known (the commit before the push is gone), so filters on FILE_PATH count as matched"}},
		{config.Project{Filters: groups, SkipWords: "off"}, lost, []string{"FILE_PATH count as matched", "COMMIT_MESSAGE count as matched"}},
		{config.Project{Paths: []string{"web/**"}}, gone, []string{"paths and paths-ignore do not hold"}},
		{config.Project{}, lost, []string{"words that skip"}},
	} {
		facts := &facts{t: &aPush, git: c.git}
		got, why, _ := facts.judge(&Project{Project: c.p})
		if got != yes || why != "" || len(facts.unknown) != len(c.notes) {
			t.Errorf("%+v: %v %q, notes %q", c.p, got, why, facts.unknown)
			continue
		}
		for i := range c.notes {
			if !strings.Contains(facts.unknown[i], c.notes[i]) {
				t.Errorf("notes %q, want %q", facts.unknown, c.notes)
			}
		}
	}
}

func TestPathsThatAreWorthABuild(t *testing.T) {
	for _, c := range []struct {
		name          string
		paths, ignore []string
		files         []string
		t             Trigger
		why           string // "": it is built
	}{
		{"one of them", []string{"src/**"}, nil, []string{"docs/a.md", "src/x/y.go"}, aPush, ""},
		{"none of them", []string{"src/**", "go.mod"}, nil, []string{"docs/a.md", "srcs/x"}, aPush, "no file under src/**, go.mod changed"},
		{"a star stops at a slash", []string{"*.go"}, nil, []string{"src/x.go"}, aPush, "no file under *.go changed"},
		{"a directory", []string{"src/"}, nil, []string{"src/x/y.go"}, aPush, ""},
		{"all are ignored", nil, []string{"docs/**", "**/*.md"}, []string{"docs/a", "README.md"}, aPush, "only files under docs/**, **/*.md changed"},
		{"one is not ignored", nil, []string{"docs/**"}, []string{"docs/a", "README.md"}, aPush, ""},
		{"both", []string{"src/**"}, []string{"**/*.md"}, []string{"src/a.md", "x.go"}, aPush, "no file under src/** changed, but for what paths-ignore has"},
		{"an empty commit is no file", []string{"src/**"}, nil, nil, aPush, "no file under src/** changed"},
		{"an empty commit is not ignored", nil, []string{"docs/**"}, nil, aPush, ""},
		{"many patterns", []string{"a", "b", "c", "d", "e"}, nil, []string{"x"}, aPush, "no file under a, b, c and 2 more changed"},
		{"a tag changes nothing", []string{"src/**"}, nil, []string{"docs/a"}, aTag, ""},
		{"a pull request", []string{"src/**"}, nil, []string{"docs/a"}, aPull, "no file under src/** changed"},
	} {
		facts := &facts{t: &c.t, git: &gitFacts{message: "x", files: c.files, looked: true}}
		got, why, passed := facts.judge(&Project{Project: config.Project{Paths: c.paths, PathsIgnore: c.ignore}})
		if (got == yes) != (c.why == "") || why != c.why || passed != (c.why != "") {
			t.Errorf("%s: %v %q, passed %t; want %q", c.name, got, why, passed, c.why)
		}
	}
	// Where something else speaks against a build, too, nothing has passed.
	facts := &facts{t: &aPush, git: &gitFacts{message: "[skip ci]", files: []string{"docs/a"}, looked: true}}
	if got, why, passed := facts.judge(&Project{Project: config.Project{Paths: []string{"src/**"}}}); got != no || passed || !strings.Contains(why, "[skip ci]") {
		t.Errorf("%v %q, passed %t", got, why, passed)
	}
}

func TestSkipWords(t *testing.T) {
	for message, want := range map[string]string{
		"Fix it [skip ci]":                          "[skip ci]",
		"Fix it\n\nIn the body: [CI Skip], you see": "[ci skip]",
		"[no ci] x":                             "[no ci]",
		"x [skip runner]":                       "[skip runner]",
		"x\n\nskip-checks: true":                "skip-checks: true",
		"x\r\n\r\nSkip-Checks:true\r\n":         "skip-checks: true",
		"x\r\n\r\nSkip-Checks: true \r\n":       "skip-checks: true",
		"x\n\nA: b\nskip-checks: true\nC: d":    "skip-checks: true",
		"skip-checks: true":                     "",
		"x\n\nWith skip-checks: true one can":   "",
		"x\n\nskip-checks: true\n\nmore":        "",
		"x\n\nskip-checks: false":               "",
		"skip ci, or [skip  ci], or [skip cis]": "",
		"":                                      "",
	} {
		if got := SkipWord(message); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
	on, off := &Project{}, &Project{Project: config.Project{SkipWords: config.SkipWordsOff}}
	said := aPush
	said.SkipWord = "[skip ci]"
	unread := aPush
	unread.Read = false
	tagged := aTag
	tagged.SkipWord = "[skip ci]"
	git := &gitFacts{message: "x [no ci]", looked: true}
	for name, c := range map[string]struct {
		p    *Project
		t    Trigger
		git  *gitFacts
		want judgement
	}{
		"the forge sent it":        {on, said, nil, no},
		"switched off":             {off, said, nil, yes},
		"the forge sent none":      {on, aPush, nil, yes},
		"the forge did not say":    {on, unread, nil, ask},
		"switched off, not said":   {off, unread, nil, yes},
		"git says it":              {on, unread, git, no},
		"of a pull request":        {on, aPull, git, no},
		"a tag is built":           {on, tagged, git, yes},
		"a release without a look": {on, Trigger{Kind: KindTag, Ref: "refs/tags/v1"}, nil, yes},
	} {
		facts := &facts{t: &c.t, git: c.git}
		if got, why, passed := facts.judge(c.p); got != c.want || passed {
			t.Errorf("%s: %v %q, want %v", name, got, why, c.want)
		}
	}
}

func TestReasonsAreOneLineWithoutTricks(t *testing.T) {
	evil := "\x1b[31mred\u202egnp.exe\nsecond line"
	if got := shown(evil); strings.ContainsAny(got, "\x1b\n\u202e") || !strings.HasSuffix(got, "…") {
		t.Errorf("%q", got)
	}
	if got := shown(strings.Repeat("ä", 500)); len([]rune(got)) != 81 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}

func TestWhatAnAddressSaysOfARepository(t *testing.T) {
	for url, want := range map[string][]string{
		"https://github.com/example/api.git": {"example", "api"},
		"git@github.com:example/api.git":     {"example", "api"},
		"ssh://git@host:22/group/sub/api":    {"group/sub", "api"},
		"file:///srv/git/api":                {"srv/git", "api"},
		"https://host/api":                   {"", "api"},
	} {
		if owner, name := ownerAndName(url); !slices.Equal([]string{owner, name}, want) {
			t.Errorf("%s: %q %q, want %q", url, owner, name, want)
		}
	}
}
