package house

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

// Limits of length, in lines. They are generous: the aim is 110 for a file, 10 for a function. Tests tell longer
// stories than the code they test.
const (
	maxFile         = 400
	maxTestFile     = 600
	maxFunction     = 80
	maxTestFunction = 120
)

// vague names say that nobody decided what belongs in the package.
var vague = map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "types": true, "models": true, "misc": true, "shared": true}

func TestNoPackageIsADrawerForEverything(t *testing.T) {
	tr := load(t)
	for _, dir := range tr.dirs() {
		if vague[path.Base(dir)] {
			t.Errorf("%s: a package called %q collects whatever has no home; name it after the one thing it does", dir, path.Base(dir))
		}
	}
	for _, f := range tr.files {
		if vague[strings.TrimSuffix(f.ast.Name.Name, "_test")] {
			t.Errorf("%s: package %s: name it after the one thing it does", f.path, f.ast.Name.Name)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	tr := load(t)
	documented := map[string]int{}
	for _, f := range tr.files {
		if f.test {
			continue
		}
		if _, seen := documented[f.dir]; !seen {
			documented[f.dir] = 0
		}
		if f.ast.Doc != nil {
			documented[f.dir]++
		}
	}
	for dir, count := range documented {
		switch {
		case count == 0:
			t.Errorf("%s: no package comment; begin one file (doc.go) with what the package is for and what it promises", dir)
		case count > 1:
			t.Errorf("%s: %d files have a package comment; go doc joins them in the order of file names, so keep one", dir, count)
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	tr := load(t)
	for _, f := range tr.files {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s:%d: %s is exported and has no comment; say what it is, its units, its errors", f.path, tr.line(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented lists a declaration's exported names that no comment explains. A comment on a group counts for all
// in it; a comment at the end of the line counts too.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !wellKnown[d.Name.Name] {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil || d.Tok == token.IMPORT {
			return nil
		}
		return undocumentedSpecs(d.Specs)
	}
	return nil
}

func undocumentedSpecs(specs []ast.Spec) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
				names = append(names, s.Names[0])
			}
		}
	}
	return names
}

// wellKnown methods fulfil an interface of the standard library that says what they do.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "String": true, "Is": true, "Write": true, "Read": true, "Close": true, "ServeHTTP": true, "MarshalJSON": true, "UnmarshalJSON": true, "LogValue": true}

// exportedReceiver is true for functions and for methods of exported types.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return true
		}
	}
}

func TestFilesAndFunctionsFitTheHead(t *testing.T) {
	tr := load(t)
	for _, f := range tr.files {
		fileLimit, functionLimit := maxFile, maxFunction
		if f.test {
			fileLimit, functionLimit = maxTestFile, maxTestFunction
		}
		if f.lines >= fileLimit {
			t.Errorf("%s has %d lines, the limit is %d: one idea a file, so split it where the second idea begins", f.path, f.lines, fileLimit)
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if lines := tr.line(fn.End()) - tr.line(fn.Pos()) + 1; lines > functionLimit {
				t.Errorf("%s:%d: %s has %d lines, the limit is %d: give its steps names", f.path, tr.line(fn.Pos()), fn.Name.Name, lines, functionLimit)
			}
		}
	}
}
