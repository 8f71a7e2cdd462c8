package glob

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern   string
		yes, no   []string
		malformed bool
	}{
		{pattern: "a.txt", yes: []string{"a.txt"}, no: []string{"b/a.txt", "aXtxt", "a.txt/b"}},
		{pattern: "./dir//a", yes: []string{"dir/a"}, no: []string{"a"}},
		{pattern: "dir/*", yes: []string{"dir/a", "dir/.hidden"}, no: []string{"dir", "dir/a/b"}},
		{pattern: "**/*", yes: []string{"a", "a/b", ".a/.b/c"}},
		{pattern: "**", yes: []string{"a", "a/b/c"}},
		{pattern: "dir/", yes: []string{"dir/a", "dir/a/b"}, no: []string{"dir"}},
		{pattern: "dir/**/*", yes: []string{"dir/a", "dir/a/b"}, no: []string{"dir", "other/a"}},
		{pattern: "**/test_*.py", yes: []string{"test_a.py", "x/y/test_.py"}, no: []string{"test_a.pyc", "x/atest_a.py"}},
		{pattern: "a/**/b/**/c", yes: []string{"a/b/c", "a/x/b/y/z/c", "a/b/b/c"}, no: []string{"a/c", "a/b/c/d"}},
		{pattern: "**/.*/**/*", yes: []string{".git/x", "a/.b/c/d"}, no: []string{"a/b", ".a"}},
		{pattern: "**/.*", yes: []string{".a", "b/.c"}, no: []string{"a"}},
		{pattern: "?[a-c][!0-9]", yes: []string{"xbz", "éaé"}, no: []string{"xb5", "bz", "xdz"}},
		{pattern: `\*[[]`, yes: []string{"*["}, no: []string{"a["}},
		{pattern: "{a,b}", yes: []string{"{a,b}"}, no: []string{"a"}},
		{pattern: "a**b", yes: []string{"ab", "axxb"}, no: []string{"a/b"}},
		{pattern: "new\nline*", yes: []string{"new\nline.txt"}},
		{pattern: "[a", malformed: true},
		{pattern: "", malformed: true},
		{pattern: "./", yes: []string{"a"}},
		{pattern: strings.Repeat("a/", 100) + "b", malformed: true},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			p, err := Parse(tt.pattern)
			if (err != nil) != tt.malformed {
				t.Fatalf("parsing: %v", err)
			}
			for _, name := range tt.yes {
				if !p.Match(name) {
					t.Errorf("%q should match", name)
				}
			}
			for _, name := range tt.no {
				if p.Match(name) {
					t.Errorf("%q should not match", name)
				}
			}
		})
	}
}

func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func parse(t *testing.T, texts ...string) []Pattern {
	t.Helper()
	var all []Pattern
	for _, text := range texts {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestWalk(t *testing.T) {
	root := tree(t, "a.txt", "b/c.txt", "b/d/e.txt", "b/d/.hidden", ".git/HEAD", "node/x/deep.txt")
	if err := os.Symlink("/etc", filepath.Join(root, "b", "etc")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		patterns []string
		opts     Options
		want     string
	}{
		{[]string{"**/*.txt"}, Options{}, "a.txt b/c.txt b/d/e.txt node/x/deep.txt"},
		{[]string{"b/d/e.txt", "a.txt"}, Options{}, "a.txt b/d/e.txt"},
		{[]string{"b/d/e.txt"}, Options{}, "b/d/e.txt"},
		{[]string{"b/**/*", "**/*.txt"}, Options{Exclude: parse(t, "**/.*", "node/**")}, "a.txt b/c.txt b/d/e.txt b/etc"},
		{[]string{"b/etc/*", "b/etc/passwd"}, Options{}, ""},
		{[]string{"**/*"}, Options{Skip: func(dir string) bool { return dir != "b" }}, "a.txt b/c.txt b/etc"},
		{[]string{"*", "b/*"}, Options{Dirs: true}, ".git b b/d node"},
		{[]string{"missing", "missing/*"}, Options{}, ""},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.patterns, " "), func(t *testing.T) {
			var got []string
			err := Walk(root, parse(t, tt.patterns...), tt.opts, func(f Found) error {
				got = append(got, f.Name)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCoversAndLeads(t *testing.T) {
	tests := []struct{ pattern, covers, leads, neither string }{
		{"deps", "deps deps/a deps/a/b", "", "dep other/deps"},
		{"deps/**/*", "deps/a deps/a/b", "deps deps/a", "other"},
		{"a/*/c", "a/x/c a/x/c/d", "a a/x", "b a/x/d"},
		{"**/node_modules", "node_modules/a x/y/node_modules/z", "x x/y", ""},
	}
	for _, tt := range tests {
		p := parse(t, tt.pattern)[0]
		for name := range strings.FieldsSeq(tt.covers) {
			if !p.Covers(name) {
				t.Errorf("%s should cover %s", tt.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(tt.leads) {
			if !p.Leads(name) {
				t.Errorf("%s should lead through %s", tt.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(tt.neither) {
			if p.Covers(name) || p.Leads(name) {
				t.Errorf("%s should have nothing to do with %s", tt.pattern, name)
			}
		}
	}
}

func TestWalkOfDirectoriesAndFiles(t *testing.T) {
	root := tree(t, "a/x", "a/b/y", "c")
	var got []string
	err := Walk(root, parse(t, "a/*", "c"), Options{All: true}, func(f Found) error {
		got = append(got, f.Name)
		return nil
	})
	if want := []string{"a/b", "a/x", "c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("found %q, %v, want %q", got, err, want)
	}
}

func TestWalkEntersOnlyWhatCanMatch(t *testing.T) {
	root := tree(t, "src/a.go", "node_modules/x/y.go")
	asked := ""
	opts := Options{Skip: func(dir string) bool { asked += dir + " "; return false }}
	if err := Walk(root, parse(t, "src/**/*.go"), opts, func(Found) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if asked != "src " {
		t.Errorf("entered %q", asked)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("**/*.go", "a/b.go")
	f.Add("[!a-z]?/**", "1x/y")
	f.Add(`\`, "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if p.Match(name) && (!p.Covers(name) || strings.Contains(name, "/") && !p.Leads(path.Dir(name))) && path.Clean(name) == name {
			t.Errorf("%q matches %q, but neither covers it nor leads there", text, name)
		}
		literal := !strings.ContainsAny(text, `*?[\`) && !strings.HasSuffix(text, "/")
		if literal && !p.Match(strings.Join(p.segments, "/")) {
			t.Errorf("%q does not match itself", text)
		}
	})
}
