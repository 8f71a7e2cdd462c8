package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/source/pack"
)

// TestSubmoduleURLsThatAreRefused are those by which a repository had git run a program, or read a file, when it was
// cloned with its submodules. No program is ever started for a URL here; what is left is a host to speak to.
func TestSubmoduleURLsThatAreRefused(t *testing.T) {
	parent := Remote{URL: "https://forge.example/org/app.git", Username: "u", Token: "sesame"}
	for _, raw := range []string{
		"ext::sh -c 'touch /tmp/owned'", "ext::sh -c id% >&2", "fd::17/foo", "fd::17", "-u./evil", "--upload-pack=touch /tmp/owned",
		"file:///etc", "/etc", "ftp://forge.example/x", "git://forge.example/x", "rsync://forge.example/x", "http::http://forge.example/x",
		"https://user:password@forge.example/x", "https://forge.example", "https:///x", "https://forge.example/x\nHost: other", "a\x00b", "",
		"ssh://-oProxyCommand=touch%20owned/x", "-oProxyCommand=touch:x", "ssh://git@-oProxyCommand=touch/x",
	} {
		sub, same, err := moduleRemote(parent, raw)
		if err != nil {
			continue
		}
		conn, err := connect(&sub, mustLocate(t, sub.URL), !same)
		if err == nil {
			conn.close()
			t.Errorf("%q became %+v", raw, sub)
		}
		if sub.Token != "" {
			t.Errorf("%q is given the token", raw)
		}
	}
}

func mustLocate(t testing.TB, raw string) location {
	t.Helper()
	l, err := locate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// FuzzModules reads any text as .gitmodules: no credential goes to another host, and no path leads out.
func FuzzModules(f *testing.F) {
	f.Add("[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib.git\n")
	f.Add("[submodule \"x\"]\npath = ../../etc\nurl = ext::sh -c id\n")
	f.Add("[submodule \"..\"]\npath=a\nurl=ssh://-oProxyCommand=id/x\n[submodule]\n\x00")
	f.Add("[submodule \"a\"]\npath = a/./b/..\nurl = https://forge.example:443/x\n")
	parent := Remote{URL: "https://forge.example/org/app.git", Username: "u", Token: "sesame"}
	home := mustLocate(f, parent.URL)
	f.Fuzz(func(t *testing.T, text string) {
		urls, err := parseModules([]byte(text))
		if err != nil {
			return
		}
		for path, raw := range urls {
			if !filepath.IsLocal(path) || path == "." {
				t.Fatalf("a submodule lies at %q", path)
			}
			sub, _, err := moduleRemote(parent, raw)
			if err != nil {
				continue
			}
			l, err := locate(sub.URL)
			if err != nil {
				t.Fatalf("%q became %q, which is none: %v", raw, sub.URL, err)
			}
			if sub.Token != "" && (l.scheme != "https" || l.host != home.host) {
				t.Fatalf("%q: the token goes to %s", raw, l)
			}
			if l.scheme == "file" && sub.AllowFile {
				t.Fatalf("%q may read this machine", raw)
			}
		}
	})
}

// FuzzRefs puts any name of a ref into a mirror's file of refs, where it must stay one line and be read as what it was.
func FuzzRefs(f *testing.F) {
	for _, s := range []string{"refs/heads/main", "refs/heads/a b", "refs/heads/../x", "refs/heads/x.lock", "refs/heads/\xff", "refs/heads/new\nline", "refs/heads/^{}", "refs/pull/7/head"} {
		f.Add(s, "")
	}
	f.Add("refs/heads/main", "# pack-refs with: peeled\n^0000\n1234 x\n"+strings.Repeat("0", 40)+" refs/heads/odd\n")
	f.Fuzz(func(t *testing.T, name, file string) {
		dir := t.TempDir()
		id := pack.ID{1, 2, 3}
		if validRef(name) {
			if !filepath.IsLocal(filepath.FromSlash(name)) {
				t.Fatalf("%q leads out of the mirror", name)
			}
			if err := (refs{name: id, "refs/heads/other": id}).write(dir); err != nil {
				t.Fatal(err)
			}
			if back, err := readRefs(dir); err != nil || back[name] != id || len(back) > 2 {
				t.Fatalf("%q came back as %v, %v", name, back, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "packed-refs"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRefs(dir); err != nil {
			t.Fatal(err) // what is no ref is passed over
		}
	})
}
