//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// runAs makes the phase's user the one whose shell runs its commands.
func (p *phases) runAs(ctx context.Context, phase wire.Phase) error {
	if len(phase.Commands)+len(phase.Finally) == 0 {
		return nil
	}
	var u user
	if phase.RunAs != "" {
		var err error
		if u, err = findUser(phase.RunAs); err != nil {
			return err
		}
	}
	if u.other() {
		for _, dir := range []string{p.job.Dir, filepath.Dir(p.shell.home), filepath.Dir(p.shell.path)} {
			if closed := closedTo(u, dir); closed != "" {
				return mistake("run-as: %s (uid %d) may not enter %s, where its commands need %s; open it in an earlier phase, say with chmod o+x %s", u.name, u.uid, closed, dir, closed)
			}
		}
		p.log.say("Commands of %s run as %s (uid %d, gid %d)", phase.Name, u.name, u.uid, u.gid)
	}
	homeFixed := slices.ContainsFunc(p.job.Env, func(v wire.Var) bool { return v.Name == "HOME" })
	return p.shell.become(ctx, u, homeFixed)
}

// cannotRunAs ends a phase before its first command. A user that is not there is the user's business.
func (p *phases) cannotRunAs(err error, phase string, end endPhase) (bool, error) {
	var client *clientError
	if !errors.As(err, &client) {
		return false, p.broken(end, err)
	}
	message := p.log.masker.String(client.message)
	p.fail(wire.Done{Reason: "run_as", Phase: phase, Message: fmt.Sprintf("in %s: %s", phase, message)})
	end(wire.StatusFailed, codeClient, message)
	return false, nil
}

// closedTo returns the first directory on the way to dir, itself included, that a user may not enter.
func closedTo(u user, dir string) string {
	way := "/"
	for _, name := range strings.Split(strings.Trim(filepath.Clean(dir), "/"), "/") {
		way = filepath.Join(way, name)
		info, err := os.Stat(way)
		if err != nil {
			return way
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if ok && !u.may(0o1, stat) {
			return way
		}
	}
	return ""
}

// may tells whether the mode of a file gives a user the right, one of r (4), w (2) and x (1).
func (u user) may(right uint32, file *syscall.Stat_t) bool {
	switch {
	case u.uid == file.Uid:
		right <<= 6
	case u.gid == file.Gid, slices.Contains(u.groups, file.Gid):
		right <<= 3
	}
	return file.Mode&right != 0
}
