package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTheClientBuildsForWindows keeps the daemon's packages, which map files, locks and paths as Unix does, out of what
// the binary for Windows is made of.
func TestTheClientBuildsForWindows(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
	list.Env = append(list.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const ours = "github.com/runner-ci/runner/"
	for _, daemons := range []string{"daemon", "source", "scheduler", "runner", "artifacts", "server"} {
		if strings.Contains("\n"+string(out), "\n"+ours+daemons+"\n") {
			t.Errorf("the binary for Windows has the package %s in it: put what needs it into a file with //go:build !windows", daemons)
		}
	}
	if !strings.Contains(string(out), ours+"source/worktree\n") {
		t.Error("go list does not list what the client is made of")
	}
}
