//go:build linux

package agent

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// builderEngine is process 1 of a builder: it opens the control groups, as the agent of a privileged job does, runs the
// image's dockerd with the given arguments on its usual socket alone, and waits for it and for what is orphaned meanwhile.
func builderEngine(args []string) int {
	openCgroups()
	program, err := lookup("dockerd", os.Getenv("PATH"))
	if err != nil {
		return trouble(fmt.Errorf("the builder's image has no dockerd: name one that has in images.builder, for example docker:dind"))
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	argv := append([]string{"dockerd", "--host=unix://" + dockerSocket}, args...)
	if _, err := lookup("iptables", os.Getenv("PATH")); err != nil {
		argv = append(argv, "--iptables=false", "--ip6tables=false")
	}
	pid, ended, err := newReaper().start(program, argv, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return trouble(err)
	}
	for {
		select {
		case status := <-ended:
			return exitStatus(status)
		case <-term:
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}
