package artifacts

import (
	"fmt"
	"path"
	"strings"
)

const (
	maxPathBytes = 4096 // Linux's PATH_MAX: nothing longer can have been a file
	maxNameBytes = 255  // and NAME_MAX
)

// cleanName returns the path that a tar's name stands for, "." for the root itself, or why the name is refused.
// Newlines, backslashes and bytes that are not UTF-8 are legal in a file's name, and kept.
func cleanName(name string) (clean, problem string) {
	switch {
	case name == "":
		return "", "the name is empty"
	case len(name) > maxPathBytes:
		return "", fmt.Sprintf("the name has %d bytes, want at most %d", len(name), maxPathBytes)
	case strings.ContainsRune(name, 0):
		return "", "the name holds a NUL byte"
	case strings.HasPrefix(name, "/"):
		return "", "the name is absolute, want a relative one"
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", `the name holds ".."`
		}
		if len(part) > maxNameBytes {
			return "", fmt.Sprintf("a part of the name has %d bytes, want at most %d", len(part), maxNameBytes)
		}
	}
	return path.Clean(name), ""
}

// linkProblem says why a symbolic link at the clean path name must not point to target; "" when it may.
//
// What is allowed cannot leave the set, whatever links there are: ".." stands only at the target's beginning, where
// the directories above the link are real ones (no entry lies below a link), and no more often than there are
// directories; what follows only descends, or passes another allowed link.
func linkProblem(name, target string) string {
	switch {
	case target == "":
		return "its target is empty"
	case len(target) > maxPathBytes:
		return fmt.Sprintf("its target has %d bytes, want at most %d", len(target), maxPathBytes)
	case strings.ContainsRune(target, 0):
		return "its target holds a NUL byte"
	case strings.HasPrefix(target, "/"):
		return "its target is absolute"
	}
	depth, descending := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			descending = true
		case descending:
			return `its target holds ".." after a name`
		case depth == 0:
			return "its target lies outside of the set"
		default:
			depth--
		}
	}
	return ""
}

// above yields the directories above a clean path, outermost first.
func above(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range len(name) {
			if name[i] == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}
