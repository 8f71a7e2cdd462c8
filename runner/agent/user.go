//go:build linux

package agent

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// user is whom commands run as. The zero value is whoever the agent itself is.
type user struct {
	name     string // as the buildspec has it; "" for the zero value
	login    string // USER and LOGNAME
	home     string
	uid, gid uint32
	groups   []uint32
}

// other tells whether commands need credentials that are not the agent's.
func (u user) other() bool { return u.name != "" }

// Files in which an image tells its users and groups.
const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// findUser looks a run-as up in the image: NAME, NAME:GROUP, UID or UID:GID, as docker run --user has it. An image
// without the files has no names, and numbers all the same.
func findUser(runAs string) (user, error) {
	u, err := parseUser(runAs, accounts(passwdFile), accounts(groupFile))
	if err != nil {
		return user{}, err
	}
	switch mine := uint32(os.Geteuid()); {
	case u.uid == mine:
		return user{}, nil
	case mine != 0:
		return user{}, mistake("run-as: the commands cannot run as %s (uid %d), because everything in this sandbox runs as uid %d; take run-as out, or run the job in a container", runAs, u.uid, mine)
	}
	return u, nil
}

// maxAccounts bounds how much of such a file is read, in bytes.
const maxAccounts = 4 << 20

// accounts reads a file of users or groups. A job may have put anything in its place, so it is read only if that can
// come to an end.
func accounts(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(f, maxAccounts))
	return string(text)
}

// parseUser finds the user in the text of passwd and group.
func parseUser(runAs, passwd, group string) (user, error) {
	name, groupName, grouped := strings.Cut(runAs, ":")
	u := user{name: runAs, login: name, home: "/"}
	if entry := entryOf(passwd, name, 7); entry != nil {
		uid, err := number32(entry[2])
		gid, err2 := number32(entry[3])
		if err != nil || err2 != nil {
			return user{}, mistake("run-as: the line of %s in %s has no numbers: %s", name, passwdFile, strings.Join(entry, ":"))
		}
		u.login, u.uid, u.gid = entry[0], uid, gid
		if entry[5] != "" {
			u.home = entry[5]
		}
	} else if uid, err := number32(name); err == nil {
		u.uid = uid
	} else if name == "root" { // an image may have no file at all
		u.home = "/root"
	} else {
		return user{}, mistake("run-as: there is no user %s in this image (%s); create it in an earlier phase, say with useradd -m %s, or correct run-as", name, passwdFile, name)
	}
	if !grouped {
		u.groups = memberships(group, u.login)
		return u, nil
	}
	if entry := entryOf(group, groupName, 3); entry != nil {
		groupName = entry[2]
	}
	gid, err := number32(groupName)
	if err != nil {
		return user{}, mistake("run-as: there is no group %s in this image (%s); create it in an earlier phase, or correct run-as", groupName, groupFile)
	}
	u.gid = gid
	return u, nil
}

// entryOf finds the line of a name, or of a number when no line has that name: passwd and group both have the number
// as their third field.
func entryOf(text, name string, fields int) []string {
	var numbered []string
	for line := range strings.Lines(text) {
		entry := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(entry) < fields {
			continue
		}
		if entry[0] == name {
			return entry
		}
		if numbered == nil && entry[2] == name {
			numbered = entry
		}
	}
	return numbered
}

// memberships are the groups that list a user.
func memberships(group, login string) []uint32 {
	var all []uint32
	for line := range strings.Lines(group) {
		entry := strings.Split(strings.TrimSpace(line), ":")
		if len(entry) < 4 || !slices.Contains(strings.Split(entry[3], ","), login) {
			continue
		}
		if gid, err := number32(entry[2]); err == nil {
			all = append(all, gid)
		}
	}
	return all
}

// number32 reads a uid or gid. The highest number means "no change" to the kernel, and is none.
func number32(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n == 1<<32-1 {
		return 0, fmt.Errorf("%s is no number of a user or group", text)
	}
	return uint32(n), err
}
