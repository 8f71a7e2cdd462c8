package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plant makes a commit of a tree that git would not make by itself, and lets main name it.
func plant(r *repo, tree string) {
	r.t.Helper()
	r.now += 60
	commit := r.pipe("planted\n", "commit-tree", tree)
	r.git("update-ref", "refs/heads/main", commit)
}

// rawTree writes a tree object of any entries: "mode name", with the object's name.
func rawTree(r *repo, entries ...[3]string) string {
	r.t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00", e[0], e[1])
		for i := 0; i < 40; i += 2 {
			var c byte
			fmt.Sscanf(e[2][i:i+2], "%02x", &c)
			b.WriteByte(c)
		}
	}
	return r.pipe(b.String(), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
}

func TestHostileTreesAreRefused(t *testing.T) {
	r := newRepo(t)
	remote := Remote{URL: "file://" + r.dir, AllowFile: true}
	blob := r.pipe("evil\n", "hash-object", "-w", "--stdin")
	link := r.pipe("/tmp", "hash-object", "-w", "--stdin")
	inner := rawTree(r, [3]string{"100644", "config", blob})
	for name, c := range map[string]struct {
		entries [][3]string
		kind    Kind
	}{
		".git":                     {[][3]string{{"40000", ".git", inner}}, KindUnsafe},
		".GIT":                     {[][3]string{{"40000", ".GIT", inner}}, KindUnsafe},
		".git as a file":           {[][3]string{{"100644", ".git", blob}}, KindUnsafe},
		".git deeper":              {[][3]string{{"40000", "a", rawTree(r, [3]string{"40000", ".git", inner})}}, KindUnsafe},
		"git~1":                    {[][3]string{{"40000", "GIT~1", inner}}, KindUnsafe},
		".git with a dot":          {[][3]string{{"40000", ".git. .", inner}}, KindUnsafe},
		".git with a stream":       {[][3]string{{"40000", ".git::$INDEX_ALLOCATION", inner}}, KindUnsafe},
		".git, invisibly not":      {[][3]string{{"40000", ".g\u200cit", inner}}, KindUnsafe},
		"..":                       {[][3]string{{"40000", "..", inner}}, KindUnsafe},
		".":                        {[][3]string{{"40000", ".", inner}}, KindUnsafe},
		"a slash":                  {[][3]string{{"100644", "a/../../b", blob}}, KindUnsafe},
		"absolute":                 {[][3]string{{"100644", "/tmp/runner-evil", blob}}, KindUnsafe},
		"too long a name":          {[][3]string{{"100644", strings.Repeat("x", 256), blob}}, KindUnsafe},
		"a link, then a directory": {[][3]string{{"120000", "a", link}, {"40000", "a", inner}}, KindUnsafe},
		"a directory, then a link": {[][3]string{{"40000", "a", inner}, {"120000", "a", link}}, KindUnsafe},
		"a file twice":             {[][3]string{{"100644", "a", blob}, {"100644", "a", blob}}, KindUnsafe},
		".gitmodules as a link":    {[][3]string{{"120000", ".gitmodules", link}}, KindUnsafe},
		"an empty link":            {[][3]string{{"120000", "a", r.pipe("", "hash-object", "-w", "--stdin")}}, KindUnsafe},
		"a mode that is none":      {[][3]string{{"10644", "a", blob}}, KindCorrupt},
		"a tree as a blob":         {[][3]string{{"100644", "a", inner}}, KindCorrupt},
		"an unknown encoding": {[][3]string{{"100644", ".gitattributes", r.pipe("* working-tree-encoding=EBCDIC\n", "hash-object", "-w", "--stdin")},
			{"100644", "a", blob}}, KindAttributes},
	} {
		t.Run(name, func(t *testing.T) {
			plant(r, rawTree(r, c.entries...))
			s := open(t, inProcess)
			got, err := s.Fetch(t.Context(), remote, Want{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %s, want %s: %v", kind, c.kind, err)
			}
			for _, d := range []string{"snapshots", "tmp"} {
				left, _ := filepath.Glob(filepath.Join(s.opts.Dir, d, "*"))
				for _, l := range left {
					if !strings.HasSuffix(l, ".lock") {
						t.Errorf("left behind: %s", l)
					}
				}
			}
			if _, err := os.Lstat("/tmp/config"); err == nil {
				t.Error("a file was written through a link")
			}
		})
	}
}

func TestLimitsOnATree(t *testing.T) {
	r, _, remote := served(t)
	r.write("a", strings.Repeat("x", 5000))
	r.commit("more")
	for name, change := range map[string]func(*Options){
		"bytes": func(o *Options) { o.TreeBytes = 4000 },
		"files": func(o *Options) { o.TreeFiles = 3 },
	} {
		s := open(t, change, inProcess)
		got, err := s.Fetch(t.Context(), remote, Want{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{}); kindOf(t, err) != KindTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", ".git", ".GIT ", "git~1", "..", "a/b", ".g\u200dit", ".git\\x", "\xff.git"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != "" {
			return
		}
		if strings.ContainsAny(name, "/\x00") || name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") {
			t.Errorf("%q passed", name)
		}
		// Whatever passes stays where it is put.
		if joined := filepath.Join("/top", name); filepath.Dir(joined) != "/top" {
			t.Errorf("%q leads to %q", name, joined)
		}
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x00" + strings.Repeat("x", 20)))
	f.Add([]byte("40000 dir\x00" + strings.Repeat("y", 20) + "120000 l\x00" + strings.Repeat("z", 20)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseTree([20]byte{}, data)
		_, _, _ = commitLinks([20]byte{}, data)
	})
}

func FuzzLocate(f *testing.F) {
	for _, s := range []string{"https://a/b", "git@h:p", "ssh://u@h:2222/p", "file:///x", "/x", "https://u:p@h/x", "h:p", "file:/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := locate(raw)
		if err != nil {
			return
		}
		again, err := locate(l.String())
		if err != nil || again.String() != l.String() || again.key() != l.key() {
			t.Errorf("%q became %q, then %q (%v)", raw, l, again, err)
		}
	})
}
