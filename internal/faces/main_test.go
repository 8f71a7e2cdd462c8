package faces

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// binary is the product under test, image the smallest image with a shell.
var binary string

const image = "runner-test/busybox:latest"

// axe is axe-core's script.
var axe string

func TestMain(m *testing.M) {
	if reason := prepare(); reason != "" {
		fmt.Fprintln(os.Stderr, "faces: left out:", reason)
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Stories mostly wait: for builds, and for pages that change. So more of them go on at once than there are processors.
	if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err) // the flag is the testing package's
	}
	code := m.Run()
	theWorld.end()
	os.Exit(code)
}

// prepare finds an engine, its images, Chromium, axe-core and the binary, and says what is missing.
func prepare() string {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err.Error()
	}
	conn, err := net.DialTimeout("unix", "/var/run/docker.sock", time.Second)
	if err != nil {
		return fmt.Sprintf("no Docker engine answers (%v); scripts/engine starts one", err)
	}
	conn.Close()
	for _, script := range [][]string{{"images", "busybox:latest"}, {"need", "chromium", "git"}} {
		if out, err := exec.Command(filepath.Join(root, "scripts", script[0]), script[1:]...).CombinedOutput(); err != nil {
			return fmt.Sprintf("scripts/%s: %v\n%s", strings.Join(script, " "), err, out)
		}
	}
	path, err := exec.Command(filepath.Join(root, "scripts", "axe")).Output()
	if err != nil {
		return fmt.Sprintf("scripts/axe: %v", err)
	}
	text, err := os.ReadFile(strings.TrimSpace(string(path)))
	if err != nil {
		return err.Error()
	}
	axe = string(text)
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
