//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// Enabled tells whether this binary can be made to die at a point.
const Enabled = true

var (
	wanted, nth = parse(os.Getenv("RUNNER_FAILPOINT"))
	passed      atomic.Int64
)

func parse(text string) (name string, nth int64) {
	name, count, _ := strings.Cut(text, ":")
	nth, err := strconv.ParseInt(count, 10, 64)
	if err != nil || nth < 1 {
		nth = 1
	}
	return name, nth
}

// Pass marks a place, and does not return where the process is to die: no deferred function runs, nothing is written.
func Pass(name string) {
	if name != wanted || passed.Add(1) != nth {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}
