package openapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write descriptions.json from the comments of the source")

// sources are the packages whose types are in the document; of two types of one name that of the first counts.
var sources = []string{"../../client", ".."}

func TestDescriptionsAreThoseOfTheSource(t *testing.T) {
	read := map[string]description{}
	for _, dir := range sources {
		for name, d := range commentsOf(t, dir) {
			if _, there := read[name]; !there {
				read[name] = d
			}
		}
	}
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(read); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("descriptions.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want.Bytes(), descriptionsJSON) {
		t.Error("descriptions.json is not what the comments of client and server say: run go test ./server/openapi -update")
	}
}

// commentsOf reads what the structs of a package say of themselves, by the names that huma gives their schemas.
func commentsOf(t *testing.T, dir string) map[string]description {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	structs, out := map[string]*ast.StructType{}, map[string]description{}
	docs := map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			eachStruct(decl, func(spec *ast.TypeSpec, s *ast.StructType, doc string) {
				structs[spec.Name.Name], docs[spec.Name.Name] = s, doc
			})
		}
	}
	for name, s := range structs {
		d := description{Type: docs[name], Fields: map[string]string{}}
		fieldsOf(structs, s, d.Fields)
		if d.Type != "" && len(d.Fields) == 0 {
			d.Fields = nil
		}
		if hasJSON(structs, s) && (d.Type != "" || len(d.Fields) > 0) {
			out[strings.ToUpper(name[:1])+name[1:]] = d
		}
	}
	return out
}

func eachStruct(decl ast.Decl, visit func(*ast.TypeSpec, *ast.StructType, string)) {
	gen, ok := decl.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range gen.Specs {
		spec, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			doc := spec.Doc
			if doc == nil {
				doc = gen.Doc
			}
			visit(spec, s, oneLine(doc))
		}
	}
}

// fieldsOf gathers comments of the fields that JSON shows, those of embedded structs too.
func fieldsOf(structs map[string]*ast.StructType, s *ast.StructType, into map[string]string) {
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 {
			if id, ok := f.Type.(*ast.Ident); ok && structs[id.Name] != nil {
				fieldsOf(structs, structs[id.Name], into)
			}
			continue
		}
		text := oneLine(f.Doc)
		if text == "" {
			text = oneLine(f.Comment)
		}
		if name := jsonName(f); name != "" && text != "" {
			into[name] = text
		}
	}
}

func hasJSON(structs map[string]*ast.StructType, s *ast.StructType) bool {
	for _, f := range s.Fields.List {
		if id, ok := f.Type.(*ast.Ident); len(f.Names) == 0 && ok && structs[id.Name] != nil && hasJSON(structs, structs[id.Name]) {
			return true
		}
		if jsonName(f) != "" {
			return true
		}
	}
	return false
}

func jsonName(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
