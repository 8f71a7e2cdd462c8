package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// jumpingClock is a file that package time is given: the wall clock is what the kernel says and the seconds that stand in
// a file which the whole process has mapped. Monotonic time goes on as it does.
const jumpingClock = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var jump = mapJump()

func mapJump() *int64 {
	path, _ := syscall.Getenv("RUNNER_CHAOS_CLOCK")
	if path == "" {
		return nil
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("opening " + path + ": " + err.Error())
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("mapping " + path + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func jumpedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	if jump != nil {
		sec += atomic.LoadInt64(jump)
	}
	return sec, nsec, mono
}
`

// buildBinary builds the product as make build does, with failpoints and, where asked for, with the jumping clock in
// place of the standard library's. The agents are those that make build has laid out.
func buildBinary(ctx context.Context, dir string, clock bool) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "runner")
	args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-tags", "embedagent,failpoints", "-o", binary}
	if clock {
		overlay, err := clockOverlay(dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/runner")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the binary: %w; run make build first, which lays the agents out\n%s", err, out)
	}
	return binary, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w; run it from within the repository", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// clockOverlay writes what go build -overlay reads: package time with our clock.
func clockOverlay(dir string) (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("asking go where its library is: %w", err)
	}
	std := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const now = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	if strings.Count(string(text), now) != 1 {
		return "", errors.New("time.Now of this Go is not as expected, so its clock cannot be made to jump; look at internal/chaos/binary.go")
	}
	changed := strings.Replace(string(text), now, strings.Replace(now, "runtimeNow", "jumpedNow", 1), 1)
	replace := make(map[string]string)
	for name, content := range map[string]string{"time.go": changed, "jump.go": jumpingClock} {
		path := filepath.Join(dir, "overlay-"+name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(std, name)] = path
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}
