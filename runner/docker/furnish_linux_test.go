package docker

import (
	"os/exec"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
)

// TestAContainerThatDiesWhileItIsFurnished is killed before the daemon has mounted in it, and its engine has not noticed.
// That is the job's end, which Attach tells, and no reason to believe that nothing can be mounted here.
func TestAContainerThatDiesWhileItIsFurnished(t *testing.T) {
	e := offline(t, "unix:///nowhere/docker.sock")
	first := exec.Command("sleep", "60")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	_ = first.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); !(place{pid: first.Process.Pid}).ended(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not die")
		}
	}
	e.made.put("x", madeBox{pid: first.Process.Pid})
	l := &launch{e: e, spec: runner.SandboxSpec{ID: "x", Dir: e.SandboxDir("x")}, mode: workspaceMount, try: true}
	if err := l.furnish(t.Context()); err != nil {
		t.Errorf("its end is told as %v", err)
	}
	if e.mode.refused.Load() {
		t.Error("the daemon believes that it cannot mount in containers")
	}
	_ = first.Wait()
}
