//go:build linux

package agent

import (
	"bytes"
	"fmt"
	"strings"
)

// The shell reads its own script from a FIFO, line by line, as long as the job lives. Each command is a file that
// it sources, so that directory, variables, functions and background jobs live on as in a terminal. What the
// shell tells about itself goes to a second FIFO, opened anew each time: no descriptor of ours is open while a
// command runs, so that no command can close, reuse or inherit it.
//
// Messages end with a NUL, which no shell can hold in a variable; the first byte says which they are:
//
//	S status    the command returned
//	X status    the command ended the shell, by exit, set -e or a syntax error
//	T traps     the traps that are set then
//	V state     umask, directory and variables, as a script that restores them
//	F state     functions, where the shell can print them
//	A value     an answer
//
// States end with a line of one colon: without it the shell was killed while it wrote.
const prologue = `__runner_options=$(set +o)
if [ -n "${BASH_VERSION-}" ]; then
__runner_state() { umask; declare -p; shopt -p; echo :; }
__runner_functions() { declare -f; echo :; }
else
__runner_state() { umask; set; export -p; readonly -p; echo :; }
__runner_functions() { echo :; }
fi
__runner_after() {
[ -p STATUS ] && { set +e; eval "$__runner_options"; printf 'S%s\000T' "$1"; trap; printf '\000V'; __runner_state; printf '\000'; } >STATUS 2>/dev/null || exit "$1"
}
__runner_exit() {
[ -p STATUS ] && { set +e; eval "$__runner_options"; printf 'X%s\000V' "$1"; __runner_state; printf '\000F'; __runner_functions; printf '\000'; } >STATUS 2>/dev/null
}
`

// exitTrap is set before each command: a command may have replaced it with its own.
const exitTrap = `trap '{ __runner_exit "$?"; } 2>/dev/null' EXIT` + "\n"

// prologueFor returns what a new shell runs first. Its standard error is /dev/null until unmute.
func prologueFor(statusPath string) string {
	return strings.ReplaceAll(prologue, "STATUS", quote(statusPath))
}

const unmute = "exec 2>&1\n"

// lost says that a new shell could not go where the former one was, which happens when another user may not.
const lost = `[ -z "$__runner_lost" ] || echo "The directory $__runner_lost cannot be entered any more, the commands go on in $(pwd)"
unset __runner_lost
`

// restore returns the script that gives a new shell the state of a former one. It goes to dir where the directory of
// that one cannot be entered.
func restore(functions, state []byte, dir string) string {
	var b strings.Builder
	b.Write(functions)
	umask, variables, _ := bytes.Cut(state, []byte{'\n'})
	b.WriteByte('\n')
	b.Write(variables)
	fmt.Fprintf(&b, "\numask %s\n", quote(string(umask)))
	// PWD and OLDPWD are variables of the state. Going there sets both, so the latter is kept aside.
	b.WriteString("__runner_old=${OLDPWD-}; __runner_lost=${PWD-}; cd -- \"${PWD-}\" && __runner_lost= || cd -- " + quote(dir) + "; OLDPWD=$__runner_old; unset __runner_old\n")
	return b.String()
}

// source returns the lines that run one command from its file. last is the exit status of the one before.
func source(file string, succeeding bool, last int) string {
	flag := 0
	if succeeding {
		flag = 1
	}
	return exitTrap + export(succeedingVar, flag) + export(lastExitVar, last) +
		fmt.Sprintf(". %s\n{ __runner_after \"$?\"; } 2>/dev/null\n", quote(file))
}

// export returns the line that gives a variable of ours its value, unless it has that.
func export(name string, value int) string {
	return fmt.Sprintf("[ \"${%s-}\" = %d ] || export %s=%d\n", name, value, name, value)
}

// answer returns the lines that run a file whose output is messages.
func answer(file, statusPath string) string {
	return exitTrap + fmt.Sprintf("{ . %s; } >%s\n{ __runner_after 0; } 2>/dev/null\n", quote(file), quote(statusPath))
}

// whole returns a state without its last line, if it is whole.
func whole(state []byte) ([]byte, bool) {
	return bytes.CutSuffix(state, []byte(":\n"))
}

// userTrap tells whether a command left an EXIT trap of its own.
func userTrap(traps []byte) bool {
	for line := range bytes.Lines(traps) {
		if bytes.HasSuffix(bytes.TrimSpace(line), []byte(" EXIT")) {
			return !bytes.Contains(traps, []byte("__runner_exit"))
		}
	}
	return false
}

// quote makes one word of text for any POSIX shell.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
