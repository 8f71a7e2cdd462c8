//go:build linux

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// hold keeps the sandbox of a job that has ended open for people. The job is not run again. The tools lay in memory, and
// are put in their place anew; a sandbox without them is as good.
func hold(opts options, term <-chan os.Signal) int {
	if err := errors.Join(linkTools(filepath.Join(opts.home, "user", "bin")), answerHold(opts.spool)); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
	}
	<-term
	return 0
}

// answerHold says that the agent stays.
func answerHold(spool string) error {
	f, err := os.Open(filepath.Join(spool, wire.HoldFile))
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, wire.MaxHold))
	if err != nil {
		return err
	}
	answer := filepath.Join(spool, wire.HeldFile)
	if err := os.WriteFile(answer+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(answer+".new", answer)
}

// shellGrace is between HUP and KILL for the processes of a shell whose person has gone.
const shellGrace = time.Second

// endShell ends the processes of one shell, as a terminal that is closed does: whoever has its mark is of it.
func endShell(mark string) int {
	want := []byte(wire.ShellMark + "=" + mark)
	for _, pid := range markedWith(want) {
		_ = syscall.Kill(pid, syscall.SIGHUP)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	for began := time.Now(); time.Since(began) < shellGrace; time.Sleep(20 * time.Millisecond) {
		if len(markedWith(want)) == 0 {
			return 0
		}
	}
	for _, pid := range markedWith(want) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return 0
}

// markedWith lists the processes that have a variable in the environment with which they were started.
func markedWith(variable []byte) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() || pid == 1 {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for entry := range bytes.SplitSeq(text, []byte{0}) {
			if bytes.Equal(entry, variable) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
