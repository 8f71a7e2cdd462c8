package house

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestARelease makes one for this machine and for Windows, and looks into it: the sums are right, the binary runs and says its
// version, man pages and completions are there, and the SBOM names the modules of go.mod. A second one is the same byte by byte.
func TestARelease(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds for two systems, twice; set RUNNER_SLOW=1 to run it")
	}
	for _, program := range []string{"git", "make", "zip", "unzip", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "VERSION=1.2.3", "TARGETS=linux/amd64 windows/amd64")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	first, second := t.TempDir(), t.TempDir()
	run(root, "scripts/release", first)
	run(first, "sha256sum", "--check", "--strict", "SHA256SUMS")
	for _, name := range []string{"runner_1.2.3_windows_amd64.zip", "runner_1.2.3_windows_amd64.cdx.json"} {
		if _, err := os.Stat(filepath.Join(first, name)); err != nil {
			t.Error(err)
		}
	}
	run(first, "tar", "-xzf", "runner_1.2.3_linux_amd64.tar.gz")
	unpacked := filepath.Join(first, "runner_1.2.3_linux_amd64")
	if said := run(unpacked, "./runner", "version"); !strings.HasPrefix(said, "runner 1.2.3 (go") {
		t.Errorf("the binary says %q", said)
	}
	if said := run(first, "unzip", "-l", "runner_1.2.3_windows_amd64.zip"); !strings.Contains(said, "runner_1.2.3_windows_amd64/runner.exe") {
		t.Errorf("the archive for Windows has:\n%s", said)
	}
	for _, name := range []string{"LICENSE", "runner.service", "Dockerfile", "compose.yml", "man/runner.1", "man/runner-submit.1", "completions/runner.bash", "completions/runner.fish"} {
		if info, err := os.Stat(filepath.Join(unpacked, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", name, err)
		}
	}
	checkSBOM(t, root, filepath.Join(first, "runner_1.2.3_linux_amd64.cdx.json"))
	run(root, "scripts/release", second)
	sums := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if a, b := sums(first), sums(second); a != b {
		t.Errorf("two releases of one commit differ:\n%s\n%s", a, b)
	}
}

func checkSBOM(t *testing.T, root, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bom); err != nil || bom.Format != "CycloneDX" {
		t.Fatalf("%s is no SBOM: %q, %v", path, bom.Format, err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.etcd.io/bbolt", "github.com/docker/docker", "github.com/go-git/go-git/v5"} {
		m := regexp.MustCompile(regexp.QuoteMeta(name) + ` (v\S+)`).FindSubmatch(mod)
		if m == nil {
			t.Fatalf("go.mod does not name %s", name)
		}
		if !slices.ContainsFunc(bom.Components, func(c struct{ Name, Version string }) bool {
			return c.Name == name && c.Version == strings.TrimSuffix(string(m[1]), "+incompatible")
		}) && !slices.ContainsFunc(bom.Components, func(c struct{ Name, Version string }) bool { return c.Name == name && c.Version == string(m[1]) }) {
			t.Errorf("the SBOM lacks %s %s", name, m[1])
		}
	}
}

// TestComposeIsTheCommandOfTheDocumentation: both mount the same, so that whoever read one knows the other.
func TestComposeIsTheCommandOfTheDocumentation(t *testing.T) {
	tr := load(t)
	page, err := os.ReadFile(filepath.Join(tr.root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile(filepath.Join(tr.root, "examples", "container", "compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(page), "docker run -d --name runner")
	command, _, _ = strings.Cut(command, "```")
	mounts := regexp.MustCompile(`-[vp] (\S+)`).FindAllStringSubmatch(command, -1)
	if !found || len(mounts) < 4 {
		t.Fatalf("docs/operations.md has no docker run with mounts: %q", command)
	}
	for _, m := range mounts {
		if !regexp.MustCompile(`(?m)^      - ` + regexp.QuoteMeta(m[1]) + `( #.*)?$`).Match(compose) {
			t.Errorf("compose.yml lacks %s, which docs/operations.md gives docker run", m[1])
		}
	}
	if _, err := exec.LookPath("docker-compose"); err == nil {
		if out, err := exec.Command("docker-compose", "-f", filepath.Join(tr.root, "examples", "container", "compose.yml"), "config", "-q").CombinedOutput(); err != nil {
			t.Errorf("docker-compose config: %v\n%s", err, out)
		}
	}
}
