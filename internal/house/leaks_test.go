package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unleaked are packages that start goroutines and have no tests of their own, with who sees to them.
var unleaked = map[string]string{
	"internal/demo": "a program that runs for a minute",
}

// TestPackagesThatStartGoroutinesLookForLeaks wants the tests of each package that starts goroutines to look for those
// that are left behind, in TestMain: by leak.Main, leak.Run or leak.Tests.
func TestPackagesThatStartGoroutinesLookForLeaks(t *testing.T) {
	tr := load(t)
	starts, looks := make(map[string]string), make(map[string]bool)
	for _, f := range tr.files {
		if !f.test {
			if starts[f.dir] == "" && startsGoroutines(f.ast) {
				starts[f.dir] = f.path
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join(tr.root, f.path))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func TestMain(") && strings.Contains(string(text), "leak.") {
			looks[f.dir] = true
		}
	}
	if len(starts) < 10 {
		t.Fatalf("only %d packages start goroutines: the test looks for the wrong thing", len(starts))
	}
	for dir, path := range starts {
		if !looks[dir] && unleaked[dir] == "" {
			t.Errorf("%s starts goroutines (%s), and its tests do not look for leaks: add TestMain with leak.Main of internal/leak", dir, path)
		}
	}
}

// startsGoroutines tells whether a file has a go statement, or calls Go of something.
func startsGoroutines(file *ast.File) (found bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = true
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" {
				found = true
			}
		}
		return !found
	})
	return found
}
