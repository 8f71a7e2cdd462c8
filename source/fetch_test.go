package source

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kindOf returns the kind of a FetchError and checks that it says something to people.
func kindOf(t testing.TB, err error) Kind {
	t.Helper()
	var fe *FetchError
	if err == nil || !errors.As(err, &fe) {
		t.Fatalf("got %v, want a FetchError", err)
	}
	if fe.Message == "" || strings.HasSuffix(fe.Message, ".") {
		t.Errorf("the message is not a sentence of ours: %q", fe.Message)
	}
	return fe.Kind
}

func TestFetchDescribesTheCommit(t *testing.T) {
	r, g, remote := served(t)
	head := r.git("rev-parse", "HEAD")
	s := open(t)
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	want := Resolved{
		Commit: head, Ref: "refs/heads/main", Tree: r.git("rev-parse", "HEAD^{tree}"), DefaultBranch: "refs/heads/main",
		Author: "Ada", AuthorEmail: "ada@example.com", Subject: "second", When: time.Unix(r.now, 0),
	}
	if !got.When.Equal(want.When) {
		t.Errorf("when: got %v, want %v", got.When, want.When)
	}
	got.When = want.When
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	fsck(t, s, remote.URL)

	before := g.requests
	again, err := s.Fetch(t.Context(), remote, Want{Ref: "refs/heads/main", Commit: head})
	if err != nil || again.Commit != head {
		t.Fatalf("%+v, %v", again, err)
	}
	older, err := s.Fetch(t.Context(), remote, Want{Commit: r.git("rev-parse", "HEAD~1")})
	if err != nil || older.Subject != "first" {
		t.Fatalf("%+v, %v", older, err)
	}
	if g.requests != before {
		t.Errorf("%d requests for commits that the mirror has", g.requests-before)
	}
}

// TestFetchFollowsTheRemote goes through what happens to a repository in its life.
func TestFetchFollowsTheRemote(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	fetch := func(w Want) (Resolved, error) { return s.Fetch(t.Context(), remote, w) }
	must := func(w Want, commit string) {
		t.Helper()
		got, err := fetch(w)
		if err != nil {
			t.Fatal(err)
		}
		if got.Commit != commit {
			t.Fatalf("%+v gave %s, want %s", w, got.Commit, commit)
		}
	}
	first := r.git("rev-parse", "HEAD")
	must(Want{}, first)

	// A push.
	r.write("new.txt", strings.Repeat("new\n", 100))
	second := r.commit("third")
	must(Want{Ref: "refs/heads/main", Commit: second}, second)

	// A force push: the old commit stays to be had, from the mirror.
	r.git("reset", "-q", "--hard", "HEAD~1")
	r.write("other.txt", "other\n")
	forced := r.commit("instead")
	must(Want{Ref: "refs/heads/main"}, forced)
	must(Want{Ref: "refs/heads/main", Commit: second}, second)

	// Tags, plain and annotated.
	r.git("tag", "light")
	r.git("tag", "-a", "-m", "one", "v1")
	must(Want{Ref: "refs/tags/light"}, forced)
	must(Want{Ref: "refs/tags/v1"}, forced)
	must(Want{Ref: "refs/tags/v1", Commit: r.git("rev-parse", "v1")}, forced)

	// A pull request's head, which is no branch.
	r.git("checkout", "-q", "-b", "pr")
	r.write("pr.txt", "pr\n")
	pr := r.commit("pull request")
	r.git("update-ref", "refs/pull/7/head", pr)
	r.git("checkout", "-q", "main")
	r.git("branch", "-q", "-D", "pr")
	must(Want{Ref: "refs/pull/7/head"}, pr)
	must(Want{Ref: "refs/pull/7/head", Commit: pr}, pr)

	// A branch that is deleted: its commit is still known here, its ref is not.
	r.git("branch", "gone")
	must(Want{Ref: "refs/heads/gone"}, forced)
	r.git("branch", "-D", "gone")
	if kind := kindOf(t, errOf(fetch(Want{Ref: "refs/heads/gone"}))); kind != KindUnknownRef {
		t.Errorf("a deleted branch is %s", kind)
	}

	// A commit that no ref names, on a server that gives those out.
	r.write("hidden.txt", "hidden\n")
	r.git("checkout", "-q", "-b", "hidden")
	hidden := r.commit("hidden")
	r.git("checkout", "-q", "main")
	r.git("branch", "-q", "-D", "hidden")
	if kind := kindOf(t, errOf(fetch(Want{Commit: hidden}))); kind != KindUnknownCommit {
		t.Errorf("an unadvertised commit is %s", kind)
	}
	r.git("config", "uploadpack.allowAnySHA1InWant", "true")
	must(Want{Commit: hidden}, hidden)
	must(Want{Commit: hidden}, hidden)

	// The default branch is renamed.
	r.git("branch", "-m", "main", "trunk")
	got, err := fetch(Want{})
	if err != nil || got.DefaultBranch != "refs/heads/trunk" || got.Ref != "refs/heads/trunk" {
		t.Errorf("%+v, %v", got, err)
	}
	fsck(t, s, remote.URL)
}

func errOf[T any](_ T, err error) error { return err }

func TestFetchSaysWhatIsWrong(t *testing.T) {
	r, g, remote := served(t)
	head := r.git("rev-parse", "HEAD")
	empty := newRepo(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>welcome</html>"))
	}))
	defer web.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer broken.Close()
	secure := newGitServer(t, filepath.Dir(r.dir))
	secure.Server = httptest.NewTLSServer(secure.handler(t, filepath.Dir(r.dir)))
	defer secure.Close()
	private := serve(t, filepath.Dir(r.dir))
	private.user, private.password = "git", "right"

	s := open(t, inProcess)
	for name, c := range map[string]struct {
		remote Remote
		want   Want
		kind   Kind
		says   string
	}{
		"unknown commit":           {remote, Want{Commit: strings.Repeat("12", 20)}, KindUnknownCommit, "has no commit 1212"},
		"unknown branch":           {remote, Want{Ref: "refs/heads/mian"}, KindUnknownRef, "near it: refs/heads/main"},
		"malformed commit":         {remote, Want{Commit: "abc"}, KindBadURL, "40"},
		"malformed ref":            {remote, Want{Ref: "main"}, KindBadURL, "refs/heads/"},
		"ref with a newline":       {remote, Want{Ref: "refs/heads/a\nb"}, KindBadURL, "not the name of a ref"},
		"empty repository":         {Remote{URL: "file://" + empty.dir, AllowFile: true}, Want{}, KindUnknownRef, "is empty"},
		"no repository":            {Remote{URL: g.URL + "/nothing/.git"}, Want{}, KindNotFound, "no repository"},
		"a web page":               {Remote{URL: web.URL + "/x.git"}, Want{}, KindNotGit, "does not speak git"},
		"a broken server":          {Remote{URL: broken.URL + "/x.git"}, Want{}, KindUnreachable, "502"},
		"nobody listens":           {Remote{URL: "http://" + closed.Addr().String() + "/x.git"}, Want{}, KindUnreachable, "cannot be reached"},
		"no such host":             {Remote{URL: "http://no-such-host.invalid/x.git"}, Want{}, KindUnreachable, "no-such-host.invalid"},
		"untrusted":                {Remote{URL: secure.url(r)}, Want{}, KindTLS, "not trusted"},
		"http behind https":        {Remote{URL: strings.Replace(g.url(r), "http:", "https:", 1)}, Want{}, KindTLS, "TLS"},
		"no CA bundle":             {Remote{URL: secure.url(r), CABundle: "/nonexistent"}, Want{}, KindTLS, "CA bundle"},
		"no credentials":           {Remote{URL: private.url(r)}, Want{}, KindAuth, "credentials"},
		"wrong credentials":        {Remote{URL: private.url(r), Token: "wrong"}, Want{}, KindAuth, "credentials"},
		"file refused":             {Remote{URL: "file://" + r.dir}, Want{}, KindFileRefused, "allow-file-urls"},
		"path refused":             {Remote{URL: r.dir}, Want{}, KindFileRefused, "allow-file-urls"},
		"no directory":             {Remote{URL: "file:///nonexistent/x", AllowFile: true}, Want{}, KindNotFound, "/nonexistent/x"},
		"not git":                  {Remote{URL: "file://" + t.TempDir(), AllowFile: true}, Want{}, KindNotGit, "not a git repository"},
		"credentials in URL":       {Remote{URL: "https://me:hunter2@example.com/x.git"}, Want{}, KindBadURL, "holds credentials"},
		"another scheme":           {Remote{URL: "ftp://example.com/x.git"}, Want{}, KindBadURL, "not supported"},
		"an option":                {Remote{URL: "--upload-pack=evil"}, Want{}, KindBadURL, "not the URL"},
		"ssh without a key":        {Remote{URL: "git@example.com:x.git"}, Want{}, KindAuth, "SSH key"},
		"a submit that is no more": {remote, Want{Ref: "refs/runner/submit/x", Commit: strings.Repeat("12", 20)}, KindUnknownCommit, "no longer has"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Fetch(t.Context(), c.remote, c.want)
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %s, want %s: %v", kind, c.kind, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want something about %q", err, c.says)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("a secret is in %q", err)
			}
		})
	}
	left, _ := os.ReadDir(filepath.Join(s.opts.Dir, "mirrors"))
	for _, e := range left {
		if e.IsDir() && !strings.HasPrefix(e.Name(), "origin-") && !strings.HasPrefix(e.Name(), ".git") {
			t.Errorf("a URL that leads nowhere left %s", e.Name())
		}
	}

	t.Run("right credentials", func(t *testing.T) {
		got, err := s.Fetch(t.Context(), Remote{URL: private.url(r), Token: "right"}, Want{})
		if err != nil || got.Commit != head {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("trusted by a CA bundle", func(t *testing.T) {
		bundle := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(bundle, pemOf(secure.Certificate().Raw), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := s.Fetch(t.Context(), Remote{URL: secure.url(r), CABundle: bundle}, Want{})
		if err != nil || got.Commit != head {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestReadFile(t *testing.T) {
	r, _, remote := served(t)
	if err := os.Symlink("README.md", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	head := r.commit("with a link")
	s := open(t)
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"src/main.go", "./src/main.go", "/src/../src/main.go"} {
		got, err := s.ReadFile(t.Context(), remote.URL, head, name, 1<<20)
		if err != nil || string(got) != "package main\n\nfunc main() {}\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, says := range map[string]string{
		"buildspec.yaml": "near it: buildspec.yml", "src/man.go": "near it: src/main.go", "src": "directory",
		"README.md/x": "not a directory", "link": "symbolic link", "zzzzzz": "no",
	} {
		_, err := s.ReadFile(t.Context(), remote.URL, head, name, 1<<20)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want ErrNotExist and something about %q", name, err, says)
		}
	}
	if _, err := s.ReadFile(t.Context(), remote.URL, head, "src/main.go", 5); kindOf(t, err) != KindTooLarge {
		t.Errorf("a file above the limit: %v", err)
	}
	if _, err := s.ReadFile(t.Context(), remote.URL, strings.Repeat("12", 20), "x", 5); kindOf(t, err) != KindUnknownCommit {
		t.Errorf("an unknown commit: %v", err)
	}
}

func TestFetchFromAFileURL(t *testing.T) {
	r := newRepo(t)
	r.write("a", "a\n")
	head := r.commit("first")
	s := open(t, inProcess)
	got, err := s.Fetch(t.Context(), Remote{URL: "file://" + r.dir, AllowFile: true}, Want{})
	if err != nil || got.Commit != head {
		t.Errorf("%+v, %v", got, err)
	}
	r.write("more.txt", "more\n")
	next := r.commit("more")
	got, err = s.Fetch(t.Context(), Remote{URL: "file://" + r.dir, AllowFile: true}, Want{})
	if err != nil || got.Commit != next {
		t.Errorf("%+v, %v", got, err)
	}
	fsck(t, s, "file://"+r.dir)
}

func TestFetchThroughAProxy(t *testing.T) {
	_, g, _ := served(t)
	s := open(t, inProcess)
	var seen int
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		seen++
		req.RequestURI, req.URL.Host = "", strings.TrimPrefix(g.URL, "http://")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		w.WriteHeader(res.StatusCode)
		_, _ = copyAll(w, res.Body)
	}))
	defer proxy.Close()
	got, err := s.Fetch(t.Context(), Remote{URL: "http://git.example/origin/.git", ProxyURL: proxy.URL}, Want{})
	if err != nil || got.Commit == "" || seen == 0 {
		t.Errorf("%+v, %v, %d requests", got, err, seen)
	}
}
