package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/failpoint"
)

// pointRow is a line of the table of points in docs/reliability.md.
var pointRow = regexp.MustCompile("(?m)^\\| `([0-9]/[a-z-]+)` \\| (.+) \\|$")

// TestTheListOfFailpointsIsTrue: the points that the code passes, those that make chaos goes round, and those that the
// documentation lists are the same, each is passed at one place, and stands where its number says.
func TestTheListOfFailpointsIsTrue(t *testing.T) {
	tr := load(t)
	passed := make(map[string]int)
	for _, f := range tr.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || fun.Sel.Name != "Pass" {
				return true
			}
			if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "failpoint" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s:%d: a failpoint's name has to stand there as it is", f.path, tr.line(call.Pos()))
				return true
			}
			name, _ := strconv.Unquote(literal.Value)
			passed[name]++
			return true
		})
	}
	text, err := os.ReadFile(filepath.Join(tr.root, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, m := range pointRow.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[2]
	}
	for _, p := range failpoint.Points {
		if passed[p.Name] != 1 {
			t.Errorf("the code passes the failpoint %s at %d places, want one", p.Name, passed[p.Name])
		}
		if documented[p.Name] != p.After {
			t.Errorf("docs/reliability.md says of %s %q, want %q", p.Name, documented[p.Name], p.After)
		}
		delete(passed, p.Name)
		delete(documented, p.Name)
	}
	if len(passed) > 0 || len(documented) > 0 {
		t.Errorf("failpoint.Points lacks %v of the code and %v of docs/reliability.md", passed, documented)
	}
	if !slices.IsSortedFunc(failpoint.Points, func(a, b failpoint.Point) int { return strings.Compare(a.Name[:1], b.Name[:1]) }) {
		t.Error("failpoint.Points are not in the order of the effects that their numbers name")
	}
}
