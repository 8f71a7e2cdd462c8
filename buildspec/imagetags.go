package buildspec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tagWords are what a template of a tag may hold in braces.
var tagWords = []string{
	"{commit}", "{commit.short}", "{branch}", "{tag}", "{semver}", "{semver.major}", "{semver.minor}", "{semver.patch}", "{build}",
}

// TagValues are what the words of a template stand for. An empty one has no value in this build.
type TagValues struct {
	Commit string // full id
	Branch string // without refs/heads/
	Tag    string // without refs/tags/
	Build  int
}

// shortCommit is how much of a commit's id {commit.short} has.
const shortCommit = 12

var (
	braced     = regexp.MustCompile(`\{[^{}]*\}`)
	plainTag   = regexp.MustCompile(`^[A-Za-z0-9_.-]*$`)
	goodTag    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	notInATag  = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	versionTag = regexp.MustCompile(`^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

// checkTemplate says what is wrong with a template; "" is nothing.
func checkTemplate(text string) string {
	for _, word := range braced.FindAllString(text, -1) {
		if !slices.Contains(tagWords, word) {
			return fmt.Sprintf("has the word %s, which stands for nothing", word)
		}
	}
	switch rest := braced.ReplaceAllString(text, ""); {
	case text == "":
		return "is empty"
	case !plainTag.MatchString(rest):
		return "cannot become a tag: besides words in braces it may hold letters, digits, _, . and - alone"
	case braced.FindStringIndex(text) == nil && !goodTag.MatchString(text):
		return "is no tag: one begins with a letter, a digit or _, and has at most 128 characters"
	}
	return ""
}

// ImageTags fills in templates. One that has a word without a value here is left out, and told of in left: {semver} of a
// build that is of no version's tag, {semver.major} of a version before its release. The error names the rule that a result
// breaks.
func ImageTags(templates []string, v TagValues) (tags, left []string, err error) {
	values := tagTable(v)
	for _, t := range templates {
		missing := ""
		tag := braced.ReplaceAllStringFunc(t, func(word string) string {
			if values[word] == "" && missing == "" {
				missing = word
			}
			return values[word]
		})
		switch {
		case missing != "":
			left = append(left, fmt.Sprintf("the tag %s is left out: %s", t, withoutValue(missing, v)))
		case !goodTag.MatchString(tag):
			return nil, nil, fmt.Errorf("the tag %s comes to %q, and a tag begins with a letter, a digit or _ and has at most 128 letters, digits, _, . and -", t, shorten(tag))
		case !slices.Contains(tags, tag):
			tags = append(tags, tag)
		}
	}
	return tags, left, nil
}

func tagTable(v TagValues) map[string]string {
	values := map[string]string{
		"{commit}": v.Commit, "{commit.short}": v.Commit[:min(len(v.Commit), shortCommit)],
		"{branch}": tagged(v.Branch), "{tag}": tagged(v.Tag),
	}
	if v.Build > 0 {
		values["{build}"] = strconv.Itoa(v.Build)
	}
	if m := versionTag.FindStringSubmatch(v.Tag); m != nil {
		values["{semver}"] = tagged(strings.Replace(strings.TrimPrefix(v.Tag, "v"), "+", "_", 1))
		if m[4] == "" { // what comes before a release must not take the release's place
			values["{semver.major}"], values["{semver.minor}"], values["{semver.patch}"] = m[1], m[2], m[3]
		}
	}
	return values
}

// tagged makes a name of git's fit for a tag.
func tagged(name string) string {
	name = strings.TrimLeft(notInATag.ReplaceAllString(name, "-"), "-.")
	return strings.TrimRight(name[:min(len(name), 128)], "-.")
}

func withoutValue(word string, v TagValues) string {
	switch {
	case strings.HasPrefix(word, "{semver.") && versionTag.MatchString(v.Tag):
		return "the tag " + v.Tag + " is of a version before its release"
	case strings.HasPrefix(word, "{semver") && v.Tag != "":
		return fmt.Sprintf("the tag %q is no version like v1.2.3", shorten(v.Tag))
	case strings.HasPrefix(word, "{semver"), word == "{tag}":
		return "this is no build of a tag"
	case word == "{branch}":
		return "this is no build of a branch"
	}
	return word + " has no value in this build"
}
