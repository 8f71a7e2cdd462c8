//go:build linux

package agent

import (
	"fmt"
	"os"
	"syscall"
)

// standardOutput is the outlet of a container: one pipe for all who attach, which the engine reads.
type standardOutput struct{ file *os.File }

// newStandardOutput makes standard output a file whose writes can be cut short, if it is a pipe. Of anything else,
// a terminal say, the mode would be changed for others too.
func newStandardOutput() standardOutput {
	info, err := os.Stdout.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 || syscall.SetNonblock(1, true) != nil {
		return standardOutput{os.Stdout}
	}
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, 1, syscall.F_SETPIPE_SZ, outletSize) // of a socket it means nothing
	return standardOutput{os.NewFile(1, "standard output")}
}

// outletSize is asked for so that a flood does not cost a change of process for each 64 KiB.
const outletSize = 1 << 20

func (o standardOutput) open() (*os.File, error) { return o.file, nil }

func (o standardOutput) done(*os.File) {}

// fifo is the outlet of a host process. It is opened anew for each attach and only while somebody reads: that is
// how the agent learns that a reader is gone, and how what he did not read goes with him.
type fifo struct{ path string }

func (o fifo) open() (*os.File, error) {
	f, err := os.OpenFile(o.path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the way out: %w", err)
	}
	return f, nil
}

func (o fifo) done(f *os.File) { f.Close() }
