package source

import "strings"

// checkName tells why a name in a tree must not be written to a disk, or returns "". The rules are git's own for
// checkouts, with its protection for the file systems of macOS and Windows always on: a snapshot is mounted into
// containers, but archives of it may travel further.
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case name == "." || name == "..":
		return "leads out of its directory"
	case strings.ContainsAny(name, "/\x00"):
		return "holds a slash or a zero byte"
	case len(name) > 255:
		return "is longer than 255 bytes"
	case isDotGit(name, "git", "git~1"):
		return "is .git, or becomes .git on some file systems"
	}
	return ""
}

// isDotGit tells whether some file system takes name for "."+word. short is the name that Windows makes of it.
func isDotGit(name, word, short string) bool {
	return hfsName(name) == "."+word || ntfsName(name, "."+word) || ntfsName(name, short)
}

// hfsName is a name as HFS+ compares it: characters that do not show are ignored, and case is.
func hfsName(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, name))
}

// invisible tells whether HFS+ ignores a character.
func invisible(r rune) bool {
	return 0x200c <= r && r <= 0x200f || 0x202a <= r && r <= 0x202e || 0x206a <= r && r <= 0x206f || r == 0xfeff
}

// ntfsName tells whether NTFS takes name for word: without regard to case, with dots and spaces at its end dropped,
// and with what follows a colon (a stream) or a backslash (a directory) apart.
func ntfsName(name, word string) bool {
	if len(name) < len(word) || !strings.EqualFold(name[:len(word)], word) {
		return false
	}
	for _, c := range name[len(word):] {
		switch c {
		case ' ', '.':
			continue
		case ':', '\\':
			return true
		}
		return false
	}
	return true
}
