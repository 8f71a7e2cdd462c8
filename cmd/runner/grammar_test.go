package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/pflag"
)

// argumentNames are the words that arguments are called by. One word means one thing everywhere.
var argumentNames = []string{"BUILD", "GREEN", "RED", "BUILD|PROJECT", "PROJECT", "JOB", "TRIGGER", "TEST", "ID", "NAME", "URL", "DIR", "FILE", "SHELL", "COMMAND", "ls"}

// same are the flags that mean the same wherever they are, and what their values are called.
var same = map[string]string{"json": "", "url": "URL", "limit": "N", "cursor": "CURSOR", "job": "JOB", "follow": "", "project": "PROJECT", "color": "WHEN"}

// withoutJSON are the commands that speak to the daemon and print nothing that a program could want.
var withoutJSON = map[string]string{
	"runner logs": "it prints what the job printed", "runner open": "it prints one address",
	"runner token rm": "it says one sentence", "runner project rm": "it says one sentence", "runner secret rm": "it says one sentence", "runner caches rm": "it says one sentence",
}

// shorthands are all there are: a letter is hard to guess.
var shorthands = map[string]string{"e": "env", "f": "follow", "p": "param", "h": "help"}

func TestGrammarOfArguments(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{})) {
		for _, word := range argumentWords(cmd) {
			if !slices.Contains(argumentNames, word) {
				t.Errorf("%s calls an argument %s; the words are %v", cmd.CommandPath(), word, argumentNames)
			}
		}
		if cmd.Args == nil && len(argumentWords(cmd)) == 0 {
			t.Errorf("%s takes any arguments, and names none", cmd.CommandPath())
		}
	}
}

func TestGrammarOfFlags(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{})) {
		path := cmd.CommandPath()
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			row := rowOf(f)
			if want, fixed := same[f.Name]; fixed && want != row.word {
				t.Errorf("%s --%s takes %q, and elsewhere %q", path, f.Name, row.word, want)
			}
			if f.Shorthand != "" && shorthands[f.Shorthand] != f.Name {
				t.Errorf("%s -%s is --%s; there are %v", path, f.Shorthand, f.Name, shorthands)
			}
			if f.Value.Type() != "bool" && row.word == "" {
				t.Errorf("%s --%s does not say what it takes", path, f.Name)
			}
			first, _, _ := strings.Cut(row.usage, " ")
			if unicode.IsUpper([]rune(first)[0]) && first != strings.ToUpper(first) && first != "Docker" || strings.HasSuffix(row.usage, ".") {
				t.Errorf("%s --%s: %q is no part of a sentence", path, f.Name, row.usage)
			}
		})
		has := func(name string) bool { return cmd.Flags().Lookup(name) != nil }
		if has("cursor") && !(has("limit") && has("json")) {
			t.Errorf("%s comes in pages, and lacks --limit or --json", path)
		}
		if why := withoutJSON[path]; has("url") && !has("json") && why == "" {
			t.Errorf("%s speaks to the daemon, and lacks --json", path)
		} else if has("json") && why != "" {
			t.Errorf("%s has --json, although %s", path, why)
		}
	}
}

// TestExitStatusesAreInOrder holds that each command's exit statuses are told by number, beginning with that of success.
func TestExitStatusesAreInOrder(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{})) {
		last := ""
		for i, line := range strings.Split(cmd.Annotations["exit"], "\n") {
			status, what, _ := strings.Cut(line, " ")
			if i == 0 && status != "0" || len(status) < len(last) || len(status) == len(last) && status <= last || strings.TrimSpace(what) == "" {
				t.Errorf("%s: %q follows %q", cmd.CommandPath(), line, last)
			}
			last = status
		}
	}
}

// TestHelpShowsEveryFlag holds that help and manual leave out no flag that a command takes.
func TestHelpShowsEveryFlag(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{})) {
		help, manual := flagUsages(cmd), manPage(cmd)
		seen := func(f *pflag.Flag) {
			if !f.Hidden && (!strings.Contains(help, "--"+f.Name+" ") || f.Name != "help" && !strings.Contains(manual, roff("--"+f.Name))) {
				t.Errorf("%s: --%s is not shown", cmd.CommandPath(), f.Name)
			}
		}
		cmd.LocalFlags().VisitAll(seen)
		cmd.InheritedFlags().VisitAll(seen)
	}
}

// binding is a variable, or a field, that a flag is bound to.
type binding struct{ file, flag, name string }

// TestEveryFlagIsUsed holds that what a flag is bound to is read somewhere, or the flag does nothing: a variable in its file,
// a field anywhere. Fields that others may see go to the daemon with the whole that they are part of.
func TestEveryFlagIsUsed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var bound []binding
	inFile, anywhere := map[string]bool{}, map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		more, uses := bindings(file, name)
		bound = append(bound, more...)
		for _, use := range uses {
			inFile[name+" "+use], anywhere["."+use] = true, true
		}
	}
	for _, b := range bound {
		field, isField := strings.CutPrefix(b.name, ".")
		if isField && ast.IsExported(field) || inFile[b.file+" "+b.name] || isField && anywhere[b.name] {
			continue
		}
		t.Errorf("%s: --%s is bound to %s, which nobody reads", b.file, b.flag, b.name)
	}
	if len(bound) < 100 {
		t.Errorf("only %d flags were found", len(bound))
	}
}

// bindings finds what the flags of a file are bound to, and the names that are read there.
func bindings(file *ast.File, name string) (bound []binding, uses []string) {
	written := map[*ast.Ident]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for _, name := range n.Names {
				written[name] = true
			}
		case *ast.Field:
			for _, name := range n.Names {
				written[name] = true
			}
		case *ast.CallExpr:
			flag, variable := binds(n)
			if variable == nil {
				return true
			}
			written[variable] = true
			b := binding{name, flag, variable.Name}
			if _, plain := n.Args[0].(*ast.UnaryExpr).X.(*ast.Ident); !plain {
				b.name = "." + b.name
			}
			bound = append(bound, b)
		case *ast.Ident:
			if !written[n] {
				uses = append(uses, n.Name)
			}
		}
		return true
	})
	return bound, uses
}

// binds tells of a call like Flags().StringVar(&x.y, "flag", …) which flag it binds to what.
func binds(call *ast.CallExpr) (flag string, variable *ast.Ident) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 2 || !strings.Contains(method.Sel.Name, "Var") {
		return "", nil
	}
	address, ok := call.Args[0].(*ast.UnaryExpr)
	name, isText := call.Args[1].(*ast.BasicLit)
	if !ok || !isText || address.Op != token.AND {
		return "", nil
	}
	switch x := address.X.(type) {
	case *ast.Ident:
		return strings.Trim(name.Value, `"`), x
	case *ast.SelectorExpr:
		return strings.Trim(name.Value, `"`), x.Sel
	}
	return "", nil
}
