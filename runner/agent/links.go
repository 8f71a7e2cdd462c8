//go:build linux

package agent

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// leadsNowhere says why a symbolic link cannot be packed as the file it leads to, or "" when it can.
func leadsNowhere(link string) string {
	info, err := os.Stat(link)
	switch {
	case err != nil:
		return "the symbolic link leads nowhere"
	case info.IsDir():
		return "a symbolic link to a directory is not followed"
	case !info.Mode().IsRegular():
		return "it leads to no regular file"
	}
	return ""
}

// settleLinks decides what becomes of the links that were found with enable-symlinks. One that leads to something in
// the same archive stays a link. Any other is packed as the file it leads to, or left out, with a line in the log:
// unpacked elsewhere it would lead out of the archive or nowhere, and the artifact store takes no such link.
func settleLinks(files []packFile, say func(string, ...any)) []packFile {
	for {
		names := namesIn(files)
		kept := files[:0:0]
		changed := false
		for _, file := range files {
			if file.link != "" && !staysInside(file, names) {
				changed = true
				if problem := leadsNowhere(file.path); problem != "" {
					say("Leaving out the symbolic link %s -> %s (it leads out of the artifact, and %s)", file.name, file.link, problem)
					continue
				}
				say("Packing what the symbolic link %s -> %s leads to, for that is not in the artifact", file.name, file.link)
				file.link = ""
			}
			kept = append(kept, file)
		}
		if !changed {
			return kept
		}
		files = kept // another link may have led to what was left out
	}
}

// namesIn returns the names of an archive: true for a directory that something lies in.
func namesIn(files []packFile) map[string]bool {
	names := make(map[string]bool, len(files))
	for _, file := range files {
		if !names[file.name] { // a file does not hide that something lies below its name
			names[file.name] = false
		}
		for dir := path.Dir(file.name); dir != "." && dir != "/" && !names[dir]; dir = path.Dir(dir) {
			names[dir] = true
		}
	}
	return names
}

// staysInside tells whether the store keeps a link, and it leads to something there: its target is relative, climbs
// only at its beginning, not above the archive, and names what is packed.
func staysInside(file packFile, names map[string]bool) bool {
	if strings.HasPrefix(file.link, "/") || names[file.name] {
		return false
	}
	if _, err := os.Stat(file.path); err != nil {
		return false // a link to itself, say
	}
	descending := false
	for part := range strings.SplitSeq(file.link, "/") {
		switch part {
		case "", ".":
		case "..":
			if descending {
				return false
			}
		default:
			descending = true
		}
	}
	target := path.Join(path.Dir(file.name), file.link)
	_, packed := names[target]
	return packed && target != file.name
}

// keepApart renames files that have the name of a directory in the same archive, as two base directories can bring
// about: no place could hold both.
func keepApart(files []packFile, say func(string, ...any)) []packFile {
	names := namesIn(files)
	for i, file := range files {
		if !names[file.name] {
			continue
		}
		name := file.name
		for n, taken := 2, true; taken; n++ {
			name = file.name + "-" + strconv.Itoa(n)
			_, taken = names[name]
		}
		names[name] = false
		say("A file and a directory are called %s: the file is packed as %s", file.name, name)
		files[i].name = name
	}
	return files
}
