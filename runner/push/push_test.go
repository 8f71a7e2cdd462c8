package push

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/runner-ci/runner/internal/enginetest"
)

// file is one entry of a tar that a test makes.
type file struct {
	name, text, link string
	at               time.Time
	kind             byte
}

func tarOf(t testing.TB, files ...file) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.text)), Mode: 0o644, ModTime: f.at, Linkname: f.link, Typeflag: f.kind}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// commitTime is when what is built was committed.
var commitTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// saved is what an engine hands out of an image with two layers, made at some time.
func saved(t *testing.T, made time.Time) []file {
	t.Helper()
	base := tarOf(t, file{name: "etc/old", text: "old", at: commitTime.Add(-time.Hour)})
	top := tarOf(t, file{name: "new", text: "new", at: made}, file{name: "etc/link", link: "old", kind: tar.TypeSymlink, at: made})
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","created":%q,"config":{"Cmd":["/new"]},"history":[{"created":%q,"created_by":"COPY"}],"rootfs":{"type":"layers","diff_ids":[%q,%q]}}`,
		made.Format(time.RFC3339Nano), made.Format(time.RFC3339Nano), hashOf(base), hashOf(top))
	return []file{
		{name: "aaa/layer.tar", text: base}, {name: "bbb/layer.tar", text: top}, {name: "ccc.json", text: config},
		{name: "manifest.json", text: `[{"Config":"ccc.json","RepoTags":null,"Layers":["aaa/layer.tar","bbb/layer.tar"]}]`},
	}
}

func read(t *testing.T, files []file) (*Image, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, []byte(tarOf(t, files...)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(t.Context(), path, t.TempDir(), commitTime, 1<<20)
}

func TestTheSameFilesComeToTheSameDigestWhenever(t *testing.T) {
	first, err := read(t, saved(t, commitTime.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	second, err := read(t, saved(t, commitTime.Add(48*time.Hour)))
	if err != nil || first.Digest != second.Digest || first.Layers != 2 || first.Size != second.Size || first.Size <= 0 {
		t.Fatalf("it came to %+v and then to %+v, %v", first, second, err)
	}
	var config struct {
		Created time.Time
		History []struct{ Created time.Time }
		Config  struct{ Cmd []string }
	}
	if err := json.Unmarshal(first.config, &config); err != nil || !config.Created.Equal(commitTime) || !config.History[0].Created.Equal(commitTime) || len(config.Config.Cmd) != 1 {
		t.Errorf("the configuration says %s, %v", first.config, err)
	}
}

func TestHostileImagesAreRefused(t *testing.T) {
	change := func(at int, f func(*file)) []file {
		files := saved(t, commitTime)
		f(&files[at])
		return files
	}
	var many strings.Builder
	for range maxLayers + 1 {
		many.WriteString(`"aaa/layer.tar",`)
	}
	for name, tt := range map[string]struct {
		files []file
		want  string
	}{
		"nothing":           {nil, `lacks "manifest.json"`},
		"no image":          {change(3, func(f *file) { f.text = "[]" }), "holds 0 images"},
		"two images":        {change(3, func(f *file) { f.text = "[{},{}]" }), "holds 2 images"},
		"no JSON":           {change(3, func(f *file) { f.text = "no" }), "no JSON"},
		"a huge list":       {change(3, func(f *file) { f.text = strings.Repeat(" ", maxJSON+1) }), "expected at most"},
		"many layers":       {change(3, func(f *file) { f.text = `[{"Layers":[` + strings.TrimSuffix(many.String(), ",") + `]}]` }), "may have 127"},
		"a missing layer":   {change(0, func(f *file) { f.name = "other" }), `lacks "aaa/layer.tar"`},
		"a changed layer":   {change(0, func(f *file) { f.text = tarOf(t, file{name: "evil", text: "evil"}) }), "its configuration says"},
		"no tar":            {change(0, func(f *file) { f.text = strings.Repeat("x", 2048) }), "cannot be read"},
		"a layer less":      {change(3, func(f *file) { f.text = `[{"Config":"ccc.json","Layers":["aaa/layer.tar"]}]` }), "tells of 2 layers, and it has 1"},
		"a link in a ring":  {change(0, func(f *file) { f.kind, f.link, f.text = tar.TypeSymlink, "layer.tar", "" }), "a link to a link"},
		"a link outside":    {change(0, func(f *file) { f.kind, f.link, f.text = tar.TypeSymlink, "../../../etc/passwd", "" }), "lacks"},
		"too large":         {change(0, func(f *file) { f.text = tarOf(t, file{name: "big", text: strings.Repeat("x", 2<<20)}) }), "larger than they may be"},
		"no history":        {change(2, func(f *file) { f.text = strings.Replace(f.text, `"history":[`, `"history":"x","y":[`, 1) }), "history"},
		"no file system":    {change(2, func(f *file) { f.text = `{"rootfs":7}` }), "tells of 0 layers"},
		"more than entries": {make([]file, maxEntries+1), "more than 20000 entries"},
	} {
		if name == "more than entries" {
			for i := range tt.files {
				tt.files[i] = file{name: fmt.Sprint(i)}
			}
		}
		_, err := read(t, tt.files)
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an InputError with %q", name, err, tt.want)
		}
	}
}

// front stands before a registry, counts what it is sent, and refuses what it is told to.
type front struct {
	http.Handler
	mu      sync.Mutex
	uploads int
	fail    func(*http.Request) bool
}

func newFront(t *testing.T, addr string, base http.RoundTripper) (*front, string) {
	t.Helper()
	to, err := url.Parse("https://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = base
	f := &front{}
	f.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if r.Method == http.MethodPatch || r.Method == http.MethodPut {
			f.uploads++
		}
		fails := f.fail != nil && f.fail(r)
		f.mu.Unlock()
		if fails {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, strings.TrimPrefix(s.URL, "http://")
}

func (f *front) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.uploads = 0 }()
	return f.uploads
}

func TestPushToARealRegistry(t *testing.T) {
	t.Parallel()
	addr, authority := enginetest.SecureRegistry(t, "ci", "open sesame")
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	image, err := read(t, saved(t, commitTime.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	to := Target{Repository: addr + "/team/api", Tags: []string{"one", "two"}, Username: "ci", Password: "open sesame"}
	var told []string
	tell := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }

	var refused *Error
	if err := New(http.DefaultTransport).Push(t.Context(), image, to, tell); !errors.As(err, &refused) || refused.Passing {
		t.Errorf("a registry of an unknown authority is %v, want a lasting error", err)
	}
	stranger := to
	stranger.Password = "wrong"
	if err := New(trusting).Push(t.Context(), image, stranger, tell); !errors.As(err, &refused) || refused.Passing || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong password is %v, want a lasting error that does not tell it", err)
	}
	if len(told) > 0 {
		t.Errorf("lasting errors were tried again: %q", told)
	}

	f, front := newFront(t, addr, trusting)
	client := New(http.DefaultTransport)
	client.pause = time.Millisecond
	to.Repository = front + "/team/api"
	failures := 2
	f.fail = func(r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		failures--
		return failures >= 0
	}
	if err := client.Push(t.Context(), image, to, tell); err != nil {
		t.Fatal(err)
	}
	if f.sent() == 0 {
		t.Error("nothing was sent")
	}
	for _, tag := range to.Tags {
		repo, _ := name.NewRepository(addr + "/team/api")
		got, err := remote.Image(repo.Tag(tag), remote.WithAuth(&authn.Basic{Username: "ci", Password: "open sesame"}), remote.WithTransport(trusting))
		if err != nil {
			t.Fatal(err)
		}
		if digest, err := got.Digest(); err != nil || digest.String() != image.Digest {
			t.Errorf("the tag %s is %s, %v; want %s", tag, digest, err, image.Digest)
		}
		if layers, err := got.Layers(); err != nil || len(layers) != 2 {
			t.Errorf("it has %d layers, %v", len(layers), err)
		}
	}
	if err := client.Push(t.Context(), image, to, tell); err != nil || f.sent() != 0 {
		t.Errorf("a second push is %v, and sends something", err)
	}
	to.Tags = append(to.Tags, "three")
	if err := client.Push(t.Context(), image, to, tell); err != nil {
		t.Error(err)
	}
	if n := f.sent(); n != 1 {
		t.Errorf("a further tag took %d uploads, want its manifest alone", n)
	}
	f.fail = func(*http.Request) bool { return true }
	if err := client.Push(t.Context(), image, to, tell); !errors.As(err, &refused) || !refused.Passing || len(told) == 0 {
		t.Errorf("a registry that is down is %v after being told %q", err, told)
	}
}

func TestNothingIsSentInClear(t *testing.T) {
	image, err := read(t, saved(t, commitTime))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	client := New(roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		if r.URL.Scheme != "https" {
			t.Errorf("%s was asked in clear", r.URL)
		}
		return nil, errors.New("nobody speaks TLS here")
	}))
	client.pause = time.Millisecond
	err = client.Push(t.Context(), image, Target{Repository: "192.168.7.7:5000/a/b", Tags: []string{"x"}, Password: "p"}, func(string, ...any) {})
	if err == nil || asked == 0 {
		t.Errorf("it was asked %d times, and said %v", asked, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestARegistryElsewhereLeadsNobodyHere: neither by where it says that tokens are had, nor by a redirect; and it cannot have
// the password shown.
func TestARegistryElsewhereLeadsNobodyHere(t *testing.T) {
	image, err := read(t, saved(t, commitTime))
	if err != nil {
		t.Fatal(err)
	}
	for _, inside := range []string{"http://127.0.0.1:8080/api/v1/projects", "https://localhost/", "http://[::1]:2375/", "https://169.254.169.254/latest"} {
		for name, answer := range map[string]func(h http.Header) (status int, body string){
			"tokens": func(h http.Header) (int, string) {
				h.Set("WWW-Authenticate", `Bearer realm="`+inside+`",service="x"`)
				return http.StatusUnauthorized, ""
			},
			"redirect": func(h http.Header) (int, string) {
				h.Set("Location", inside)
				return http.StatusTemporaryRedirect, ""
			},
			"echo": func(h http.Header) (int, string) {
				h.Set("Content-Type", "application/json")
				return http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"no such password: p4ss"}]}`
			},
		} {
			client := New(roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host != "registry.example.com" {
					t.Errorf("%s: %s was asked", name, r.URL)
				}
				w := httptest.NewRecorder()
				status, body := answer(w.Header())
				w.WriteHeader(status)
				_, _ = w.WriteString(body)
				out := w.Result()
				out.Request = r
				return out, nil
			}))
			client.pause = time.Millisecond
			there := Target{Repository: "registry.example.com/a/b", Tags: []string{"x"}, Username: "ci", Password: "p4ss"}
			err := client.Push(t.Context(), image, there, func(string, ...any) {})
			_, pulled := client.Pull(t.Context(), there, image.Digest, "x", 1, io.Discard)
			for _, err := range []error{err, pulled} {
				if err == nil || strings.Contains(err.Error(), "p4ss") {
					t.Errorf("%s to %s: %v", name, inside, err)
				}
			}
		}
	}
}

// BenchmarkRead checks, settles and compresses an image of 200 MB, half of which is noise.
func BenchmarkRead(b *testing.B) {
	half := make([]byte, 100<<20)
	_, _ = rand.Read(half)
	text := string(half) + strings.Repeat("what a program is made of, more or less; ", 100<<20/41)
	layer := tarOf(b, file{name: "big", text: text, at: commitTime.Add(time.Hour)})
	config := fmt.Sprintf(`{"os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, hashOf(layer))
	path := filepath.Join(b.TempDir(), "image.tar")
	image := tarOf(b, file{name: "l.tar", text: layer}, file{name: "c.json", text: config}, file{name: "manifest.json", text: `[{"Config":"c.json","Layers":["l.tar"]}]`})
	if err := os.WriteFile(path, []byte(image), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		if _, err := Read(b.Context(), path, b.TempDir(), commitTime, 1<<30); err != nil {
			b.Fatal(err)
		}
	}
}
