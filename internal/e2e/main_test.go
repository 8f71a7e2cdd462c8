package e2e

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the product under test, with its agents embedded, as `make build` makes it.
var binary string

// image is the smallest image with a shell; scripts/images makes it.
const image = "runner-test/busybox:latest"

// storiesAtOnce is how many parallel stories run, unless -parallel says otherwise. Each waits more for processes that
// are not its own, for clocks and for disks than it computes, so two on two cores would leave much of them idle.
const storiesAtOnce = "4"

func TestMain(m *testing.M) {
	atOnce()
	if reason := prepare(); reason != "" {
		if os.Getenv("CI") == "true" {
			fmt.Fprintln(os.Stderr, "e2e:", reason)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stderr, "e2e: left out:", reason)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// atOnce sees to storiesAtOnce.
func atOnce() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", storiesAtOnce) // it exists, and this is a number
	}
}

// prepare finds an engine, its images and the binary, and says what is missing.
func prepare() string {
	conn, err := net.DialTimeout("unix", "/var/run/docker.sock", time.Second)
	if err != nil {
		return fmt.Sprintf("no Docker engine answers (%v); scripts/engine starts one", err)
	}
	conn.Close()
	root, err := filepath.Abs("../..")
	if err != nil {
		return err.Error()
	}
	if out, err := exec.Command(filepath.Join(root, "scripts", "images"), "busybox:latest").CombinedOutput(); err != nil {
		return fmt.Sprintf("making %s: %v\n%s", image, err, out)
	}
	// RUNNER_BIN spares the build where the Makefile has just made one.
	if binary = os.Getenv("RUNNER_BIN"); binary != "" {
		return ""
	}
	build := exec.Command("make", "-s", "build")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Sprintf("building the binary: %v\n%s", err, out)
	}
	binary = filepath.Join(root, "bin", "runner")
	return ""
}
