package openapi

import (
	"go/ast"
	"go/parser"
	"reflect"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// TestGoCallsAreOfTheClient: each call is of a method that there is, with as many arguments as it takes, and its results have
// as many names as it returns.
func TestGoCallsAreOfTheClient(t *testing.T) {
	methods := reflect.TypeFor[*client.Client]()
	for id, text := range goCalls {
		expr, err := parser.ParseExpr("func() {\n" + text + "\n}")
		if err != nil {
			t.Errorf("%s is no Go: %v", id, err)
			continue
		}
		assign, ok := expr.(*ast.FuncLit).Body.List[0].(*ast.AssignStmt)
		if !ok {
			t.Errorf("%s assigns nothing", id)
			continue
		}
		made := assign.Rhs[0].(*ast.CallExpr)
		name := made.Fun.(*ast.SelectorExpr).Sel.Name
		m, there := methods.MethodByName(name)
		switch {
		case !there:
			t.Errorf("%s: the client has no method %s", id, name)
		case m.Type.NumIn()-1 != len(made.Args) || m.Type.NumOut() != len(assign.Lhs):
			t.Errorf("%s: %s takes %d arguments and returns %d values: %s", id, name, m.Type.NumIn()-1, m.Type.NumOut(), text)
		}
		if strings.Contains(text, "\t\t") {
			t.Errorf("%s is indented too far: %s", id, text)
		}
	}
}
