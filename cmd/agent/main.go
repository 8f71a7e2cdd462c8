// Command agent is the process inside every sandbox, as a binary of its own so that it stays small. It is embedded
// in runner, and is of no use by itself.
package main

import (
	"os"

	"github.com/runner-ci/runner/runner/agent"
)

func main() { os.Exit(agent.Main(os.Args)) }
