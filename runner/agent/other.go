//go:build !linux

package agent

import (
	"fmt"
	"os"
	"runtime"
)

// builderEngine says what serve says.
func builderEngine([]string) int { return serve(options{}) }

// endShell says what serve says.
func endShell(string) int { return serve(options{}) }

// serve says that jobs run on Linux only: the agent needs its process model.
func serve(options) int {
	fmt.Fprintf(os.Stderr, "agent: jobs run on linux, this is %s\n", runtime.GOOS)
	return 1
}
