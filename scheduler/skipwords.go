package scheduler

import (
	"regexp"
	"strings"
)

// skipWords are what people write into a commit's message so that nothing is built, as other builders take it, too.
var skipWords = regexp.MustCompile(`(?i)\[(?:skip ci|ci skip|no ci|skip runner)\]`)

// skipTrailer is the same as a trailer, in the last paragraph of the message.
var skipTrailer = regexp.MustCompile(`(?im)^skip-checks:[ \t]*true[ \t\r]*$`)

// trailerLine is a line of a paragraph of trailers.
var trailerLine = regexp.MustCompile(`^[A-Za-z0-9-]+:|^[ \t]`)

// SkipWord finds what in a commit's message asks that nothing be built; "" if nothing does.
func SkipWord(message string) string {
	if word := skipWords.FindString(message); word != "" {
		return strings.ToLower(word)
	}
	text := strings.ReplaceAll(strings.TrimSpace(message), "\r\n", "\n")
	cut := strings.LastIndex(text, "\n\n")
	if cut < 0 {
		return "" // a subject is no trailer
	}
	last := text[cut+2:]
	for line := range strings.SplitSeq(last, "\n") {
		if !trailerLine.MatchString(line) {
			return ""
		}
	}
	if skipTrailer.MatchString(last) {
		return "skip-checks: true"
	}
	return ""
}

// skipWord judges by the words in the head commit's message. They hold for pushes to branches and for pull requests: who
// tags a commit, or releases it, wants it built, whatever its message says.
func (f *facts) skipWord(p *Project) (judgement, string) {
	if !p.HeedsSkipWords() || (f.t.Kind != KindPush && f.t.Kind != KindPullRequest) {
		return yes, ""
	}
	word := f.t.SkipWord
	switch {
	case f.git != nil && f.git.noMessage == "":
		word = SkipWord(f.git.message)
	case f.git != nil:
		f.note("the commit's message is not known (" + f.git.noMessage + "), so words that skip in it were not looked for")
		return yes, ""
	case word == "" && !f.t.Read:
		return ask, ""
	}
	if word == "" {
		return yes, ""
	}
	return no, "the commit's message says " + word + "; skip-words: off in the project's settings builds it all the same"
}
