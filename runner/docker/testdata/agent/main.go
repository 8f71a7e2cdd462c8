// Command agent stands in for the real agent in tests of the executor itself: it runs each line of its standard input
// by the shell, and answers with the output and "status N". Its standard input never ends.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

func main() {
	fmt.Fprintln(os.Stderr, "agent: began")
	if code := os.Getenv("TEST_AGENT_EXIT"); code != "" {
		n, _ := strconv.Atoi(code)
		os.Exit(n)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if code, ok := strings.CutPrefix(line, "exit "); ok {
			n, _ := strconv.Atoi(code)
			fmt.Fprintln(os.Stderr, "agent: leaving")
			os.Exit(n)
		}
		out, err := shell(line).CombinedOutput()
		status := 0
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			status = exit.ExitCode()
		case err != nil:
			status = 127
			out = append(out, err.Error()...)
		}
		fmt.Printf("%s\nstatus %d\n", strings.TrimSuffix(string(out), "\n"), status)
	}
}

// workspace is where commands run, found by its path: it may have been mounted after this process began.
const workspace = "/codebuild/output/src"

func shell(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir = workspace
	return cmd
}
