package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// FilterGroup is filters that all have to match. Of a project's groups one has to.
type FilterGroup []Filter

// Filter is one condition of a filter group, with CodeBuild's words.
type Filter struct {
	Type    string `yaml:"type" json:"type"`
	Pattern string `yaml:"pattern" json:"pattern"` // of EVENT a list with commas, else a regular expression (RE2), searched for
	// ExcludeMatchedPattern turns the filter round: what matches the pattern is kept out.
	ExcludeMatchedPattern bool `yaml:"exclude-matched-pattern" json:"excludeMatchedPattern,omitempty"`
}

// The types of filters.
const (
	FilterEvent         = "EVENT"
	FilterActor         = "ACTOR_ACCOUNT_ID"
	FilterHeadRef       = "HEAD_REF"
	FilterBaseRef       = "BASE_REF"
	FilterFilePath      = "FILE_PATH"
	FilterCommitMessage = "COMMIT_MESSAGE"
	FilterTagName       = "TAG_NAME"
	FilterReleaseName   = "RELEASE_NAME"
	FilterRepository    = "REPOSITORY_NAME"
	FilterOrganization  = "ORGANIZATION_NAME"
)

// FilterTypes are all types of filters.
var FilterTypes = []string{
	FilterEvent, FilterActor, FilterHeadRef, FilterBaseRef, FilterFilePath, FilterCommitMessage, FilterTagName,
	FilterReleaseName, FilterRepository, FilterOrganization,
}

// FilterEvents are the words that a filter of type EVENT can list.
var FilterEvents = []string{
	"PUSH", "PULL_REQUEST_CREATED", "PULL_REQUEST_UPDATED", "PULL_REQUEST_REOPENED", "PULL_REQUEST_MERGED",
	"PULL_REQUEST_CLOSED", "RELEASED", "PRERELEASED",
}

// Events splits the pattern of a filter of type EVENT.
func (f Filter) Events() (events []string) {
	for word := range strings.SplitSeq(f.Pattern, ",") {
		events = append(events, strings.TrimSpace(word))
	}
	return events
}

// Settings that are on unless they are switched off: a mapping's zero could not be told from what was not written.
const (
	SkipWordsOn, SkipWordsOff = "on", "off"
	CancelYes, CancelNo       = "true", "false"
)

// HeedsSkipWords tells whether words like [skip ci] in a commit's message keep it from being built.
func (p *Project) HeedsSkipWords() bool { return p.SkipWords != SkipWordsOff }

// Cancels tells whether a newer push may stop the builds of an older one.
func (p *Project) Cancels() bool { return p.CancelSuperseded != CancelNo }

// Bounds of what one project may have; a slip in a generated file is beyond them. Each webhook is judged by all of it.
const (
	maxFilterGroups  = 100
	maxGroupFilters  = 100
	maxPathPatterns  = 500
	maxPatternBytes  = 4096
	maxGroupNameSize = 200
)

func (p *Project) checkFilters(f *faults) {
	if len(p.Filters) > maxFilterGroups {
		f.add("filters", "merge groups whose patterns differ alone: (a|b)", "there are %d filter groups, and at most %d are taken", len(p.Filters), maxFilterGroups)
		return
	}
	for i, group := range p.Filters {
		group.check(f, fmt.Sprintf("filters[%d]", i))
	}
	checkGlobs(f, "paths", p.Paths)
	checkGlobs(f, "paths-ignore", p.PathsIgnore)
	if p.SkipWords != "" {
		f.oneOf("skip-words", p.SkipWords, SkipWordsOn, SkipWordsOff)
	}
	if p.CancelSuperseded != "" {
		f.oneOf("cancel-superseded", p.CancelSuperseded, CancelYes, CancelNo)
	}
}

func (g FilterGroup) check(f *faults, at string) {
	if len(g) > maxGroupFilters {
		f.add(at, "", "the group has %d filters, and at most %d are taken", len(g), maxGroupFilters)
		return
	}
	for i := range g {
		g[i].check(f, fmt.Sprintf("%s[%d]", at, i))
	}
	if !slices.ContainsFunc(g, func(x Filter) bool { return x.Type == FilterEvent }) {
		f.add(at, "add - type: EVENT with pattern: PUSH, PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED", "a filter group needs a filter of type EVENT")
	}
}

func (x Filter) check(f *faults, at string) {
	switch x.Type {
	case "WORKFLOW_NAME":
		f.add(at+".type", "take the filter out", "WORKFLOW_NAME chooses runs of GitHub Actions that ask CodeBuild for a runner; a build here is never one of their jobs")
		return
	case "":
		f.add(at+".type", "write one of "+strings.Join(FilterTypes, ", "), "the filter has no type")
		return
	}
	f.oneOf(at+".type", x.Type, FilterTypes...)
	switch {
	case strings.TrimSpace(x.Pattern) == "":
		f.add(at+".pattern", "write what has to match: .* is anything", "the filter has no pattern")
	case len(x.Pattern) > maxPatternBytes:
		f.add(at+".pattern", "", "the pattern has %d bytes, and at most %d are taken", len(x.Pattern), maxPatternBytes)
	case x.Type == FilterEvent:
		x.checkEvents(f, at+".pattern")
	default:
		_, err := regexp.Compile(x.Pattern)
		f.err(at+".pattern", "patterns are RE2, as in CodeBuild: no look-around and no references back", err)
	}
}

func (x Filter) checkEvents(f *faults, at string) {
	for _, event := range x.Events() {
		if event == "WORKFLOW_JOB_QUEUED" {
			f.add(at, "take the word out", "WORKFLOW_JOB_QUEUED is a job of GitHub Actions that asks CodeBuild for a runner; a build here is never one of these")
			continue
		}
		f.oneOf(at, event, FilterEvents...)
	}
}

// checkGlobs checks patterns of paths. A pattern that no path can match would skip each build without a word.
func checkGlobs(f *faults, setting string, globs []string) {
	if len(globs) > maxPathPatterns {
		f.add(setting, "name directories: docs/**", "there are %d patterns, and at most %d are taken", len(globs), maxPathPatterns)
		return
	}
	for i, glob := range globs {
		at := fmt.Sprintf("%s[%d]", setting, i)
		const hint = "write it from the repository's root: docs/**, **/*.md, go.mod"
		switch {
		case glob == "" || len(glob) > maxPatternBytes || !doublestar.ValidatePattern(glob):
			f.add(at, hint, "%q is no pattern of paths", clip(glob))
		case strings.HasPrefix(glob, "/") || strings.HasPrefix(glob, "./") || strings.HasPrefix(glob, "../"):
			f.add(at, hint, "no path in a repository begins like %q", clip(glob))
		case strings.HasPrefix(glob, "!"):
			f.add(at, "write what is to be left out under paths-ignore", "%q is no pattern of paths: ! has no meaning here", clip(glob))
		}
	}
}

// MatchPath tells whether a pattern of paths means a path. One that ends with / means all that is below.
func MatchPath(glob, path string) bool {
	if strings.HasSuffix(glob, "/") {
		glob += "**"
	}
	ok, _ := doublestar.Match(glob, path)
	return ok
}
