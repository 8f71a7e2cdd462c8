package attributes

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// git runs real git in dir and returns what it prints.
func git(t testing.TB, dir string, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

func write(t testing.TB, dir, name, body string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConversionsAsGitCheckout compares each file's bytes with what git checks out.
func TestConversionsAsGitCheckout(t *testing.T) {
	bodies := map[string]string{
		"lf": "one\ntwo\n", "crlf": "one\r\ntwo\r\n", "mixed": "one\r\ntwo\nthree\n", "cr": "one\rtwo\nthree\n",
		"nul": "one\x00two\nthree\n", "empty": "", "nonl": "no newline", "dosend": "one\ntwo\n\x1a",
		"control": strings.Repeat("\x01", 40) + "\ntext\n", "utf8": "größe\nweiß 🙂\n", "latin": "gr\xf6\xdfe\n",
		"ident":  "$Id$ and $Id: 1234 $ and $Id: x y $ and $Id:\n$ end $Id\n",
		"ident2": "$Id:$ $Id: $ $Id:  $ $Ident$ $$Id$\n",
		"ident3": "$Id$ then $Id: open",
	}
	rules := []string{
		"text", "-text", "text=auto", "eol=crlf", "eol=lf", "text eol=crlf", "text eol=lf", "text=auto eol=crlf",
		"text=auto eol=lf", "-text eol=crlf", "binary", "binary eol=crlf", "!text eol=crlf", "crlf", "crlf=input", "-crlf eol=crlf",
		"text=input eol=crlf", "text=nonsense eol=crlf", "ident", "ident eol=crlf", "-ident", "filter=unknown",
		"working-tree-encoding=UTF-16LE", "working-tree-encoding=utf-16be", "text working-tree-encoding=UTF-16LE-BOM eol=crlf",
		"working-tree-encoding=UTF-32LE", "working-tree-encoding=UTF-16", "working-tree-encoding=ISO-8859-1",
		"working-tree-encoding=UTF-8", "windows", "-windows eol=crlf", "diff", "text=auto", "eol=CRLF", "text eol=nonsense",
	}
	origin := t.TempDir()
	git(t, origin, "", "init", "-q", "-b", "main")
	attrs := "[attr]windows text eol=crlf ident\n"
	for i, r := range rules {
		attrs += fmt.Sprintf("/r%d/* %s\n", i, r)
	}
	// The blobs are stored as they are, whatever clean filters would make of them.
	var tree strings.Builder
	add := func(name, body string) {
		id := strings.TrimSpace(git(t, origin, body, "hash-object", "-w", "--stdin"))
		fmt.Fprintf(&tree, "100644 %s\t%s\n", id, name)
	}
	add(".gitattributes", attrs)
	for i := range rules {
		for name, body := range bodies {
			if i == 0 {
				git(t, origin, body, "hash-object", "-w", "--stdin")
			}
			sum := plumbing.ComputeHash(plumbing.BlobObject, []byte(body))
			fmt.Fprintf(&tree, "100644 %s\tr%d/%s\n", sum, i, name)
		}
	}
	git(t, origin, tree.String(), "update-index", "--add", "--index-info")
	git(t, origin, "", "commit", "-q", "-m", "one")
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, origin, "", "clone", "-q", "-c", "core.autocrlf=false", origin, clone)

	table := NewTable()
	layer := (*Layer)(nil).Push("", table.Parse([]byte(attrs), true))
	for i, r := range rules {
		for name, body := range bodies {
			path := fmt.Sprintf("r%d/%s", i, name)
			c, err := table.Lookup(layer, path)
			if err != nil {
				t.Errorf("%s: %v", r, err)
				continue
			}
			want, err := os.ReadFile(filepath.Join(clone, path))
			if err != nil {
				t.Fatal(err)
			}
			got := c.Apply([]byte(body), plumbing.ComputeHash(plumbing.BlobObject, []byte(body)))
			if !bytes.Equal(got, want) {
				t.Errorf("%s with %q: got %q, git wrote %q", name, r, got, want)
			}
			if c.None() && string(want) != body {
				t.Errorf("%s with %q: None, but git changed it", name, r)
			}
		}
	}
}

// askGit returns the value of attributes "text" and "eol" for each path, as git sees them.
func askGit(t testing.TB, dir string, paths []string) map[string][2]string {
	t.Helper()
	out := strings.Split(git(t, dir, strings.Join(paths, "\x00")+"\x00", "check-attr", "-z", "--stdin", "text", "eol"), "\x00")
	got := make(map[string][2]string)
	for ; len(out) >= 3; out = out[3:] {
		v := got[out[0]]
		if out[1] == "text" {
			v[0] = out[2]
		} else {
			v[1] = out[2]
		}
		got[out[0]] = v
	}
	return got
}

// said repeats Lookup, but keeps the states of "text" and "eol".
func (t *Table) said(l *Layer, path string) [2]string {
	said := make([]state, len(t.ids))
	base := path[strings.LastIndexByte(path, '/')+1:]
	for ; l != nil; l = l.parent {
		for i := len(l.file.rules) - 1; i >= 0; i-- {
			if ok, _ := l.file.rules[i].matches(l.dir, path, base); ok {
				t.fill(said, l.file.rules[i].settings)
			}
		}
	}
	words := func(s state) string {
		switch s.kind {
		case set:
			return "set"
		case unset:
			return "unset"
		case valued:
			return s.value
		}
		return "unspecified"
	}
	return [2]string{words(said[attrText]), words(said[attrEOL])}
}

func TestPrecedenceAsGit(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "", "init", "-q")
	files := map[string]string{
		"": "\xef\xbb\xbf*.bom text\n[attr]mine text=mine -eol\n[attr]deep mine\n[attr]late text=late\n" +
			"* text=auto\n*.c text\n*.c -text eol=crlf\n*.m mine\n*.d deep\n*.d !eol\n*.l late\n" +
			"\"with space\" eol=lf\n\"oct\\303\\274\" eol=oct\n\"bad\\q\" eol=x\n*.inv te$xt eol=inv\n!neg eol=neg\n" +
			"dir/ eol=dir\ndir/*.x eol=x\n/top eol=top\nsub/**/deep eol=deep\n  indented eol=in\r\n# comment eol=c\n" +
			"*.b binary\n*.nb -binary\n[attr]late text=later\n" + strings.Repeat("x", 3000) + " eol=long\nafterlong eol=yes\n" +
			"\\!bang eol=bang\n[attr] odd=1\n*.eq text= eol=a=b\nfoo**/bar eol=star\na\\ b eol=x\n**/any eol=any\n",
		"sub":     "*.c text=sub\n[attr]mine eol=nope\n*.m !text\ntop eol=subtop\n/anchored eol=anch\na/b eol=ab\n",
		"sub/sub": "*.c eol=subsub\n../x eol=up\n",
	}
	table := NewTable()
	layers := map[string]*Layer{}
	for _, d := range []string{"", "sub", "sub/sub"} {
		write(t, dir, filepath.Join(d, ".gitattributes"), files[d])
		parent := layers[strings.TrimSuffix(strings.TrimSuffix(d, "sub"), "/")]
		layers[d] = parent.Push(d, table.Parse([]byte(files[d]), d == ""))
	}
	paths := []string{
		"x.bom", "x.c", "x.m", "x.d", "x.l", "with space", "octü", "bad\\q", "x.inv", "neg", "!neg", "dir", "dir/a.x",
		"top", "sub/top", "sub/deep", "sub/a/b/deep", "indented", "comment", "x.b", "x.nb", "afterlong", "!bang", "x.eq",
		"sub/x.c", "sub/x.m", "sub/anchored", "sub/sub/anchored", "sub/a/b", "sub/sub/x.c", "sub/sub/x", "foobar", "foo/bar",
		"foox/bar", "foo/x/bar", "a b", "any", "x/any", "sub/sub/any", "subx/x.c",
	}
	want := askGit(t, dir, paths)
	for _, p := range paths {
		d := filepath.Dir(p)
		if layers[d] == nil {
			d = map[bool]string{true: "sub", false: ""}[strings.HasPrefix(p, "sub/")]
		}
		if got := table.said(layers[d], p); got != want[p] {
			t.Errorf("%q: got %q, git says %q", p, got, want[p])
		}
	}
}

// TestPatternsAsGit tries random patterns on random paths, under a fixed seed, against git.
func TestPatternsAsGit(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "", "init", "-q")
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "ab", "*", "**", "/", "/", "?", "[ab]", "[!a]", "[^a-b]", "[a-c]", "[[:alpha:]]", "[]a]", `\*`, `\a`, ".", "[a", "[[:x:]]", "[a\\]]", "-"}
	var paths []string
	for range 150 {
		var p []string
		for range 1 + rng.IntN(4) {
			s := ""
			for range 1 + rng.IntN(3) {
				s += []string{"a", "b", "c", "*", ".", "]", "-", "ab"}[rng.IntN(8)]
			}
			if strings.Trim(s, ".") == "" {
				s = "a"
			}
			p = append(p, s)
		}
		paths = append(paths, strings.Join(p, "/"))
	}
	for round := range 40 {
		var attrs strings.Builder
		for n := range 8 {
			for range 1 + rng.IntN(6) {
				attrs.WriteString(pieces[rng.IntN(len(pieces))])
			}
			fmt.Fprintf(&attrs, " text=%d\n", n)
		}
		write(t, dir, ".gitattributes", attrs.String())
		table := NewTable()
		layer := (*Layer)(nil).Push("", table.Parse([]byte(attrs.String()), true))
		want := askGit(t, dir, paths)
		for _, p := range paths {
			if got := table.said(layer, p); got != want[p] {
				t.Fatalf("round %d, %q: got %q, git says %q with\n%s", round, p, got, want[p], attrs.String())
			}
		}
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	for attrs, want := range map[string]string{
		"* working-tree-encoding=EBCDIC\n":               "EBCDIC",
		"* working-tree-encoding\n":                      "name of an encoding",
		strings.Repeat("/**/a", 60) + "/**/b eol=crlf\n": "too complex",
	} {
		table := NewTable()
		layer := (*Layer)(nil).Push("", table.Parse([]byte(attrs), true))
		_, err := table.Lookup(layer, strings.Repeat("a/", 120)+"c")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want something about %q", attrs, err, want)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add([]byte("* text=auto\n*.c eol=crlf\n[attr]x text ident\n\"a b\" x\n"), "dir/a.c", []byte("a\nb\r\n$Id$\n"))
	f.Add([]byte("a/**/b[!x-z] !text\n"), "a/b/c", []byte("\x00"))
	f.Fuzz(func(t *testing.T, attrs []byte, path string, body []byte) {
		table := NewTable()
		file := table.Parse(attrs, true)
		layer := (*Layer)(nil).Push("", file).Push("dir", table.Parse(attrs, false))
		if c, err := table.Lookup(layer, path); err == nil {
			c.Apply(body, plumbing.ZeroHash)
		}
	})
}
