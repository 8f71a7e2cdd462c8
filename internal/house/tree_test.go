package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path before every import of ours.
const module = "github.com/runner-ci/runner"

// source is one Go file of the tree.
type source struct {
	path  string // relative to the root, with slashes
	dir   string // its package's folder, "." for the root
	test  bool
	lines int
	ast   *ast.File
}

// tree is every Go file that is ours, parsed. Examples are modules of their own, testdata is data.
type tree struct {
	root  string
	fset  *token.FileSet
	files []source
}

func load(t *testing.T) *tree {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (name == "testdata" || name == "examples" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return tr.add(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) == 0 {
		t.Fatalf("no Go file below %s: the test looks in the wrong place", root)
	}
	return tr
}

func (tr *tree) add(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(tr.fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(tr.root, path)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	tr.files = append(tr.files, source{
		path:  rel,
		dir:   filepath.ToSlash(filepath.Dir(rel)),
		test:  strings.HasSuffix(rel, "_test.go"),
		lines: strings.Count(string(text), "\n"),
		ast:   file,
	})
	return nil
}

// dirs lists the folders that hold a package, in order.
func (tr *tree) dirs() []string {
	var dirs []string
	for _, f := range tr.files {
		dirs = append(dirs, f.dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// line is the line of a position in its file.
func (tr *tree) line(pos token.Pos) int { return tr.fset.Position(pos).Line }

// imports lists the file's import paths.
func (f source) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// ours turns an import path into a folder of ours; false for anybody else's.
func ours(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, module)
	if !ok || (rest != "" && rest[0] != '/') {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// allCode is the text of all files but tests, for sentences that pages quote.
func allCode(t *testing.T, tr *tree) string {
	t.Helper()
	var code strings.Builder
	for _, f := range tr.files {
		if f.test {
			continue
		}
		part, err := os.ReadFile(filepath.Join(tr.root, f.path))
		if err != nil {
			t.Fatal(err)
		}
		code.Write(part)
	}
	return code.String()
}
