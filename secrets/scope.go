package secrets

import (
	"path"
	"strings"
)

// AllProjects is the project of a secret that builds of every project may have.
const AllProjects = "*"

// maxRefs bounds the ref patterns of one secret, maxPattern the bytes of one of them.
const (
	maxRefs    = 64
	maxPattern = 256
)

// permits tells why a build may not have a secret with these ref patterns, whose project is the build's or every
// one; nil means that it may. The sentence names the scope that would be needed.
func permits(name string, refs []string, who Subject) error {
	switch {
	case who.Fork:
		return say(ErrForbidden, "%s is not given to this build: pull requests from forks get no parameters and no secrets, whatever their scope", shown(name))
	case who.Trusted:
		return nil
	}
	for _, pattern := range refs {
		if matches(pattern, who.Ref) {
			return nil
		}
	}
	if len(refs) == 0 {
		return say(ErrForbidden, "%s is not given to this build: it is for trusted builds alone (pushes to protected refs, schedules, manual starts), and this one of %s is untrusted; an admin can give it to builds of that ref too: runner secret scope %s --ref %s",
			shown(name), refShown(who.Ref), shown(name), suggestedPattern(who.Ref))
	}
	return say(ErrForbidden, "%s is not given to this build: it is for trusted builds and for refs %s, and this one of %s is untrusted; an admin can give it to builds of that ref too, with --ref %s",
		shown(name), strings.Join(refs, " "), refShown(who.Ref), suggestedPattern(who.Ref))
}

func refShown(ref string) string {
	if ref == "" {
		return "no ref"
	}
	return shown(ref)
}

// suggestedPattern is the narrowest useful pattern for a ref, as a word of a shell: the branch itself, or all refs of
// the kind where each has a number of its own. A stranger may have named the ref, and an admin will copy the line: what
// means something to a shell is left out.
func suggestedPattern(ref string) string {
	for _, kind := range []string{"refs/pull/", "refs/merge-requests/", "refs/runner/submit/"} {
		if strings.HasPrefix(ref, kind) {
			return "'" + kind + "*'"
		}
	}
	if ref == "" || len(ref) > maxPattern || strings.ContainsFunc(ref, func(r rune) bool { return r == '=' || !nameRune(r) }) {
		return "PATTERN"
	}
	return ref
}

// matches tells whether a pattern means a ref. A short pattern means branches alone; * stands for what has no slash,
// but at the end of a pattern for refs that are neither branches nor tags it stands for all below, since refs of pull
// requests end in /head. ** is every ref, and a last /** all below.
func matches(pattern, ref string) bool {
	if pattern == "**" {
		return ref != ""
	}
	if !strings.HasPrefix(pattern, "refs/") {
		pattern = "refs/heads/" + pattern
	}
	below, deep := strings.CutSuffix(pattern, "/**")
	if !deep && !strings.HasPrefix(pattern, "refs/heads/") && !strings.HasPrefix(pattern, "refs/tags/") {
		below, deep = strings.CutSuffix(pattern, "/*")
	}
	if !deep {
		ok, _ := path.Match(pattern, ref)
		return ok
	}
	levels := strings.Count(below, "/") + 1
	parts := strings.Split(ref, "/")
	if len(parts) <= levels {
		return false
	}
	ok, _ := path.Match(below, strings.Join(parts[:levels], "/"))
	return ok
}

// CheckRefs refuses ref patterns that cannot mean any ref. The error wraps ErrInvalid.
func CheckRefs(refs []string) error {
	if len(refs) > maxRefs {
		return say(ErrInvalid, "%d ref patterns are too many; a secret has at most %d", len(refs), maxRefs)
	}
	for _, pattern := range refs {
		_, err := path.Match(pattern, "refs/heads/main")
		switch {
		case pattern == "" || len(pattern) > maxPattern || err != nil,
			strings.ContainsFunc(pattern, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("~^:", r) }),
			strings.HasPrefix(pattern, "/"), strings.HasSuffix(pattern, "/"), strings.Contains(pattern, ".."):
			return say(ErrInvalid, "%q is no pattern of refs: write a branch (main, release/*), a full ref (refs/tags/v*, refs/pull/*), or ** for every ref", shown(pattern))
		case strings.HasPrefix(pattern, "heads/"), strings.HasPrefix(pattern, "tags/"), strings.HasPrefix(pattern, "pull/"):
			return say(ErrInvalid, "%q would mean branches of that name: write refs/%s for the refs", shown(pattern), shown(pattern))
		}
	}
	return nil
}

// checkProject refuses what can be no project's name.
func checkProject(project string) error {
	if project == AllProjects {
		return nil
	}
	if project == "" || len(project) > 150 || strings.ContainsFunc(project, func(r rune) bool {
		return !nameRune(r) || strings.ContainsRune("/.+=@", r)
	}) {
		return say(ErrInvalid, "%q is no project; name one, or * for every project", shown(project))
	}
	return nil
}
