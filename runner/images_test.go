//go:build linux

package runner_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/process"
	"github.com/runner-ci/runner/runner/push"
	"github.com/runner-ci/runner/runner/wire"
)

// mason is an executor whose builders do what a test says.
type mason struct {
	*process.Executor
	build func(ctx context.Context, argv []string, out io.Writer) int
	image string // the tar that it hands out; "": a good one
	disk  []string
	kept  string // what it says of its layers; "": it has some

	mu      sync.Mutex
	started []runner.BuilderSpec
	names   []string          // of the files that it was given
	secrets map[string]string // by path
	loaded  []string          // the files of the images that it was given
	running int
}

func (m *mason) StartBuilder(_ context.Context, spec runner.BuilderSpec) (runner.Builder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started, m.running = append(m.started, spec), m.running+1
	return m, nil
}

func (m *mason) Unpack(_ context.Context, pack func(io.Writer) error) error {
	var b bytes.Buffer
	if err := pack(&b); err != nil {
		return err
	}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err != nil {
			return nil
		}
		m.names = append(m.names, h.Name)
	}
}

func (m *mason) Exec(ctx context.Context, argv []string, in io.Reader, out io.Writer) (int, error) {
	switch {
	case slices.Contains(argv, "load"):
		for r := tar.NewReader(in); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return 0, nil
			}
			if err != nil {
				return 0, err
			}
			m.loaded = append(m.loaded, h.Name)
		}
	case in != nil:
		text, err := io.ReadAll(in)
		m.secrets = map[string]string{argv[len(argv)-1]: string(text)}
		return 0, err
	case slices.Contains(argv, "build"):
		exit := 0
		if m.build != nil {
			exit = m.build(ctx, argv, out)
		}
		return exit, context.Cause(ctx)
	}
	return 0, nil
}

func (m *mason) Export(_ context.Context, argv []string, out io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if argv[0] == "du" {
		used := m.disk[0]
		m.disk = m.disk[min(1, len(m.disk)-1):]
		_, err := fmt.Fprintf(out, "%s\t/var/lib/docker\n", used)
		return err
	}
	if slices.Contains(argv, "df") {
		_, err := io.WriteString(out, m.kept)
		return err
	}
	if m.image == "" {
		m.image = emptyImage()
	}
	_, err := io.WriteString(out, m.image)
	return err
}

func (m *mason) Close(time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	return nil
}

// emptyImage is what an engine hands out of an image without layers.
func emptyImage() string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{
		"manifest.json": `[{"Config":"c.json","Layers":[]}]`, "c.json": `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`,
	} {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})
		_, _ = io.WriteString(w, text)
	}
	_ = w.Close()
	return b.String()
}

var stages atomic.Int64

// building is a stage with a mason, and an attempt at one image.
func building(t *testing.T, lines ...string) (*stage, *mason, runner.Attempt) {
	st := newStage(t)
	m := &mason{Executor: st.ex, disk: []string{"0"}}
	st.Executors[engine] = m
	st.Pusher = push.New(refusing{})
	t.Cleanup(func() {
		if m.running != 0 {
			t.Errorf("%d builders are left", m.running)
		}
	})
	st.n = int(stages.Add(1)) * 1000 // sandboxes of tests that run at once have ids of their own
	a := st.attempt(lines...)
	a.Images = &runner.Images{Builder: runner.Image{Ref: "dind", ID: "sha256:1"}, When: time.Unix(1_700_000_000, 0), State: "api/protected", Builds: []runner.ImageBuild{{
		Name: "api", Dockerfile: "b/Dockerfile", Context: "ctx", Target: "run", NoCache: true, Variable: "RUNNER_IMAGE_API_DIGEST",
		Args: []wire.Var{{Name: "A", Value: "1"}}, Labels: []wire.Var{{Name: "l", Value: "2"}}, Secrets: []wire.Var{{Name: "TOKEN", Value: "hidden"}},
	}}}
	return st, m, a
}

// refusing is a registry that lets nobody in.
type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}, Request: r}, nil
}

func TestImagesAreBuiltOnce(t *testing.T) {
	t.Parallel()
	st, m, a := building(t, "context ctx/file", "say built")
	m.build = func(_ context.Context, argv []string, out io.Writer) int {
		fmt.Fprintln(out, "#1", strings.Join(argv, " "))
		return 0
	}
	res, log := st.play(a, forgetful{})
	want := "docker build --progress plain --file /runner-context/b/Dockerfile --tag runner-built/api --build-arg SOURCE_DATE_EPOCH=1700000000"
	st.want(res, log, wire.StatusSucceeded, "Entering phase IMAGES", "Starting a builder of dind", "Building image api of b/Dockerfile", want,
		"--build-arg A=1 --label l=2 --secret id=TOKEN,src="+runner.BuildSecrets+"/TOKEN --target run --no-cache /runner-context/ctx", "the buildspec pushes it nowhere", "Phase complete: IMAGES State: SUCCEEDED")
	if len(res.Images) != 1 || !strings.HasPrefix(res.Images[0].Digest, "sha256:") || res.Images[0].Pushed || !slices.Contains(res.Exported, wire.Var{Name: "RUNNER_IMAGE_API_DIGEST", Value: res.Images[0].Digest}) {
		t.Errorf("the result is %+v", res)
	}
	if !slices.Equal(m.names, []string{"runner-context/", "runner-context/ctx/file", "runner-context/out"}) || m.secrets[runner.BuildSecrets+"/TOKEN"] != "hidden" {
		t.Errorf("the builder was given %q and %q", m.names, m.secrets)
	}
	if len(m.started) != 1 || m.started[0].State != "api/protected" || m.started[0].Sandbox != a.Sandbox {
		t.Errorf("builders were started: %+v", m.started)
	}
	// A daemon that died with the result in hand is followed by one that finds the images done.
	a.Sent = true
	again, after := st.play(a, forgetful{})
	if !reflect.DeepEqual(again.Images, res.Images) || len(m.started) != 1 || after != log {
		t.Errorf("taken again it is %+v, with %d builders and the log\n%s", again, len(m.started), after)
	}
}

// TestABuilderWithoutLayersIsGivenThoseOfTheLastPush: a builder that has none gets the image that was pushed before; where that
// cannot be had, it builds without.
func TestABuilderWithoutLayersIsGivenThoseOfTheLastPush(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/api"
	client := push.New(http.DefaultTransport)
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, []byte(emptyImage()), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := push.Read(t.Context(), path, t.TempDir(), time.Unix(1_600_000_000, 0), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Push(t.Context(), before, push.Target{Repository: repository, Tags: []string{"before"}}, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	const bare, from = "Images=1\nBuild Cache=0\n", "--cache-from last-push.invalid/of/api:last"
	for name, tt := range map[string]struct {
		kept   string
		change func(b *runner.ImageBuild)
		given  bool
		says   string
	}{
		"no layers":         {bare, nil, true, "was given those of the last push, " + before.Digest},
		"layers":            {"Images=1\nBuild Cache=7\n", nil, false, ""},
		"never pushed":      {bare, func(b *runner.ImageBuild) { b.Last = "" }, false, ""},
		"not wanted":        {bare, func(b *runner.ImageBuild) { b.NoCache = true }, false, ""},
		"nobody's to have":  {bare, func(b *runner.ImageBuild) { b.Withheld = "no trust" }, false, ""},
		"gone from there":   {bare, func(b *runner.ImageBuild) { b.Last = "sha256:" + strings.Repeat("0", 64) }, false, "it is built without them"},
		"no digest at all":  {bare, func(b *runner.ImageBuild) { b.Last = "latest" }, false, "it is built without them"},
		"a tag of its name": {bare, func(b *runner.ImageBuild) { b.Last = "before" }, false, "it is built without them"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, m, a := building(t, "context ctx/file", "say built")
			st.Pusher, m.kept = client, tt.kept
			b := &a.Images.Builds[0]
			b.Repository, b.Tags, b.Last, b.NoCache = repository, []string{"x"}, before.Digest, false
			if tt.change != nil {
				tt.change(b)
			}
			var argv string
			m.build = func(_ context.Context, with []string, _ io.Writer) int { argv = strings.Join(with, " "); return 0 }
			res, log := st.play(a, forgetful{})
			if res.Status != wire.StatusSucceeded || !strings.Contains(log, tt.says) {
				t.Errorf("it ended as %+v, want %q in the log\n%s", res, tt.says, log)
			}
			if given := strings.Contains(argv, from); given != tt.given || given != slices.Contains(m.loaded, "manifest.json") {
				t.Errorf("it was built by %s, after %v was loaded", argv, m.loaded)
			}
			if strings.Contains(argv, "BUILDKIT_INLINE_CACHE=1") == b.NoCache {
				t.Errorf("it was built by %s", argv)
			}
		})
	}
}

func TestImagesThatCannotBeHad(t *testing.T) {
	t.Parallel()
	says := func(text string, exit int) func(context.Context, []string, io.Writer) int {
		return func(_ context.Context, _ []string, out io.Writer) int { fmt.Fprintln(out, text); return exit }
	}
	waits := func(ctx context.Context, _ []string, _ io.Writer) int { <-ctx.Done(); return 1 }
	for name, tt := range map[string]struct {
		line   string
		change func(st *stage, m *mason, a *runner.Attempt)
		status wire.Status
		reason string
		says   string
	}{
		"a failed command": {"context a", func(_ *stage, m *mason, _ *runner.Attempt) {
			m.build = says("#1 ok\nERROR: no such stage hidden\nbye", 3)
		}, wire.StatusFailed, "image_build", "building image api: docker build ended with exit status 3: ERROR: no such stage ***"},
		"a locked store":   {"context a", func(_ *stage, _ *mason, a *runner.Attempt) { a.Images = &runner.Images{Lacks: "the store is locked"} }, wire.StatusFault, "secrets", "its images could not be built: the store is locked"},
		"no files":         {"say x", nil, wire.StatusFailed, "image_build", "are missing"},
		"a name outside":   {"context ../../etc/x", nil, wire.StatusFailed, "image_build", "hold the name"},
		"an absolute name": {"context /etc/x", nil, wire.StatusFailed, "image_build", "hold the name"},
		"no image":         {"context a", func(_ *stage, m *mason, _ *runner.Attempt) { m.image = "junk" }, wire.StatusFailed, "image_build", "cannot be read"},
		"a large image":    {"context a", func(_ *stage, _ *mason, a *runner.Attempt) { a.Limits.DiskBytes = 2048 }, wire.StatusFailed, "image_build", "limits.disk"},
		"no engine":        {"context a", func(st *stage, _ *mason, _ *runner.Attempt) { st.Executors[engine] = st.ex }, wire.StatusFailed, "image_build", "needs an engine of type docker"},
		"time":             {"context a", func(_ *stage, m *mason, a *runner.Attempt) { m.build, a.Timeout = waits, 2*time.Second }, wire.StatusTimedOut, "timeout", "raise limits.timeout"},
		"disk": {"context a", func(_ *stage, m *mason, a *runner.Attempt) {
			m.build, m.disk, a.Limits.DiskBytes = waits, []string{"10", "1000000"}, 1<<20
		}, wire.StatusFailed, "disk_limit", "limits.disk"},
		"a refusing server": {"context a", func(_ *stage, _ *mason, a *runner.Attempt) {
			b := &a.Images.Builds[0]
			b.Repository, b.Tags, b.Auth = "127.0.0.1:1/a/b", []string{"x"}, &runner.RegistryAuth{Username: "u", Password: "sesame"}
		}, wire.StatusFailed, "image_push", "pushing to 127.0.0.1:1/a/b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, m, a := building(t, tt.line, "say done")
			a.Job.Secrets = []string{"hidden"}
			if tt.change != nil {
				tt.change(st, m, &a)
			}
			res, log := st.play(a, forgetful{})
			if res.Status != tt.status || res.Reason != tt.reason || !strings.Contains(res.Message, tt.says) || res.Phase != runner.PhaseImages || len(res.Images) != 0 {
				t.Errorf("it ended as %+v, want %s %s with %q", res, tt.status, tt.reason, tt.says)
			}
			if !strings.Contains(log, string(tt.status)+": ") || strings.Contains(log, "hidden") || strings.Contains(log, "sesame") {
				t.Errorf("the log does not tell of it, or tells a secret:\n%s", log)
			}
		})
	}
}

func TestAnImageIsStopped(t *testing.T) {
	t.Parallel()
	st, m, a := building(t, "context a")
	stop, began := make(chan runner.StopRequest, 1), make(chan struct{})
	a.Stop = stop
	m.build = func(ctx context.Context, _ []string, _ io.Writer) int { close(began); <-ctx.Done(); return 1 }
	go func() {
		<-began
		stop <- runner.StopRequest{Status: wire.StatusStopped, Reason: "stopped", Message: "stopped by ci"}
	}()
	if res, _ := st.play(a, forgetful{}); res.Status != wire.StatusStopped || res.Message != "stopped by ci" || len(res.Images) != 0 {
		t.Errorf("it ended as %+v", res)
	}
}

// TestADaemonLeavesWhileAnImageIsBuilt tells of a daemon that is told to end: the next one builds it.
func TestADaemonLeavesWhileAnImageIsBuilt(t *testing.T) {
	t.Parallel()
	st, m, a := building(t, "context a")
	ctx, leave := context.WithCancel(t.Context())
	m.build = func(ctx context.Context, _ []string, out io.Writer) int {
		fmt.Fprintln(out, "half of it")
		leave()
		<-ctx.Done()
		return 1
	}
	if res, err := st.Run(ctx, engine, a, forgetful{}); !errors.Is(err, runner.ErrDetached) {
		t.Fatalf("it ended as %+v, %v", res, err)
	}
	a.Sent, m.build = true, nil
	res, log := st.play(a, forgetful{})
	if res.Status != wire.StatusSucceeded || len(res.Images) != 1 || strings.Count(log, "half of it") != 1 || strings.Count(log, "Building image") != 2 || strings.Count(log, "Phase complete: IMAGES") != 1 {
		t.Errorf("it ended as %+v with the log\n%s", res, log)
	}
}
