package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a line of ARCHITECTURE.md's table of the house: the package's folder, in backquotes, first.
var row = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| (.+) \\|$")

func TestArchitectureNamesEveryPackage(t *testing.T) {
	tr := load(t)
	text, err := os.ReadFile(filepath.Join(tr.root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, house, found := strings.Cut(string(text), "\n## The house\n")
	if !found {
		t.Fatal(`ARCHITECTURE.md has no section "## The house"; it holds the table of packages`)
	}
	house, _, _ = strings.Cut(house, "\n## ")
	var named []string
	for _, match := range row.FindAllStringSubmatch(house, -1) {
		named = append(named, match[1])
	}
	dirs := tr.dirs()
	for _, dir := range dirs {
		if dir != "." && !slices.Contains(named, dir) {
			t.Errorf("package %s is missing in ARCHITECTURE.md's table: say in one sentence what it is", dir)
		}
	}
	for _, name := range named {
		if name != "examples" && !slices.Contains(dirs, name) {
			t.Errorf("ARCHITECTURE.md's table names %s, which is no package any more", name)
		}
	}
}
