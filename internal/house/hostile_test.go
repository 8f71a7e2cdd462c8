package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tried is a test in docs/hostile-input.md: its package's folder and its name.
var tried = regexp.MustCompile("`([a-z0-9/]+) ((?:Test|Fuzz)[A-Za-z0-9]+)`")

func TestHostileInputNamesRealTests(t *testing.T) {
	tr := load(t)
	there := map[string]bool{}
	for _, f := range tr.files {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.test && fn.Recv == nil {
				there[f.dir+" "+fn.Name.Name] = true
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(tr.root, "docs", "hostile-input.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range tried.FindAllStringSubmatch(string(text), -1) {
		name := m[1] + " " + m[2]
		named[name] = true
		if !there[name] {
			t.Errorf("docs/hostile-input.md names %s, which is no test any more: say which one tries that now", name)
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d tests are found on the page: has its form changed?", len(named))
	}
	for name := range there {
		if _, target, _ := strings.Cut(name, " "); strings.HasPrefix(target, "Fuzz") && !named[name] {
			t.Errorf("%s is missing in docs/hostile-input.md: say whose bytes it reads", name)
		}
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "| ") && strings.Count(line, " | ") == 3 && !strings.HasPrefix(line, "| input") && !strings.HasPrefix(line, "| ---") && !tried.MatchString(line) {
			t.Errorf("docs/hostile-input.md: no test tries this: %s", line)
		}
	}
}
