package agentbin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// program builds a small Go program, with or without the C library.
func program(t *testing.T, cgo string) string {
	t.Helper()
	dir := t.TempDir()
	src := "package main\n\nfunc main() {}\n"
	if cgo == "1" {
		src = "package main\n\nimport \"C\"\n\nfunc main() {}\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-o", out, filepath.Join(dir, "main.go"))
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	return out
}

func TestAStaticBinaryIsItsOwnAgent(t *testing.T) {
	path := program(t, "0")
	data, err := static(path)
	if want, _ := os.ReadFile(path); err != nil || len(data) != len(want) {
		t.Errorf("a static binary gives %d bytes (%v), want itself", len(data), err)
	}
}

func TestADynamicBinarySaysWhatToBuild(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("a dynamic binary needs a C compiler")
	}
	_, err := static(program(t, "1"))
	if !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("a dynamic binary gives %v, want ErrNoAgent and what to build", err)
	}
}

func TestAnotherArchitectureIsRefusedByName(t *testing.T) {
	other := "riscv64"
	if runtime.GOARCH == other {
		other = "s390x"
	}
	_, err := Linux(other)
	if !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), "linux/"+other) {
		t.Errorf("an agent for %s gives %v", other, err)
	}
}
