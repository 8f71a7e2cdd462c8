package e2e

import (
	"archive/tar"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/runner-ci/runner/internal/enginetest"
)

// buildSecret is a value that must be in no layer and no log.
const buildSecret = "sesame-for-the-build"

// dockerfile makes an image from nothing, of the busybox that the job leaves beside it.
const dockerfile = `FROM scratch AS base
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
FROM base AS test
RUN exit 9
FROM base AS run
ARG GREETING
RUN --mount=type=secret,id=TOKEN busybox test "$(busybox wc -c </run/secrets/TOKEN)" = 20 && echo $GREETING >/greeting && echo the secret is $(busybox cat /run/secrets/TOKEN)
COPY --from=base /bin/busybox /bin/again
COPY . /src
`

// registry is a real registry with TLS and a login, as a test looks into it.
type registry struct {
	t         testing.TB
	addr      string
	authority string
	options   []remote.Option
}

func newRegistry(t testing.TB) *registry {
	t.Helper()
	addr, authority := enginetest.SecureRegistry(t, "ci", "open sesame")
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &registry{t: t, addr: addr, authority: authority, options: []remote.Option{
		remote.WithAuth(&authn.Basic{Username: "ci", Password: "open sesame"}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}),
	}}
}

// image is what a tag of the registry names.
func (r *registry) image(repository, tag string) (v1.Image, error) {
	repo, err := name.NewRepository(r.addr + "/" + repository)
	if err != nil {
		r.t.Fatal(err)
	}
	return remote.Image(repo.Tag(tag), r.options...)
}

func (r *registry) tags(repository string) []string {
	r.t.Helper()
	repo, err := name.NewRepository(r.addr + "/" + repository)
	if err != nil {
		r.t.Fatal(err)
	}
	tags, err := remote.List(repo, r.options...)
	if err != nil {
		r.t.Fatal(err)
	}
	return tags
}

// imageFiles are the regular files of an image, and all of its bytes are looked through for a text.
func imageFiles(t *testing.T, image v1.Image, forbidden string) map[string]string {
	t.Helper()
	files := map[string]string{}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.RawConfigFile()
	if err != nil || strings.Contains(string(config), forbidden) {
		t.Errorf("the configuration holds the secret, or cannot be read: %v\n%s", err, config)
	}
	for _, layer := range layers {
		compressed, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gzip.NewReader(compressed)
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(plain); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), forbidden) {
				t.Errorf("%s of a layer holds the secret", h.Name)
			}
			files[h.Name] = string(text[:min(len(text), 100)])
		}
		compressed.Close()
	}
	return files
}

// imageDaemon is a daemon that builds images, with a login of the registry in its store.
func imageDaemon(t testing.TB, r *registry, url, settings string) *daemon {
	t.Helper()
	images(t, "dind:latest")
	d := newDaemon(t, settings+keyFile(t)+"ca-bundle: "+r.authority+"\nimages: {builder: 'runner-test/dind:latest'}\n",
		project("api", url, "push: {'"+r.addr+"': ci/registry}"))
	d.setSecret("ci/registry", `{"username": "ci", "password": "open sesame"}`, "--project", "api")
	d.setSecret("ci/token", buildSecret, "--project", "api", "--ref", "**")
	return d
}

func imageSpec(r *registry, more string) string {
	return `version: 0.2
env:
  image: ` + image + `
  secrets-manager: {TOKEN: ci/token}
batch:
  build-graph:
    - identifier: make
    - identifier: use
      buildspec: use.yml
      depend-on: [make]
phases:
  build: {commands: [cp /bin/busybox app/busybox, echo made here >app/made]}
x-runner:
  images:
    api:
      context: app
      target: run
      args: {GREETING: hello}
      secrets: TOKEN
      labels: {team: blue}
      push: ` + r.addr + `/team/api
      tags: ["{commit.short}", "{branch}", "{semver}", "{build}", latest]
` + more
}

const useSpec = `version: 0.2
env: {image: "` + image + `"}
phases: {build: {commands: ['echo it is $RUNNER_IMAGE_API_DIGEST']}}
`

// TestImagesAreBuiltAndPushed tells the whole story of an image: of a workspace's files, in a builder, to a registry with TLS
// and a login. A retry of the build comes to the same digest.
func TestImagesAreBuiltAndPushed(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": imageSpec(r, ""), "use.yml": useSpec, "app/Dockerfile": dockerfile, "app/.dockerignore": "*.log\n", "app/a.log": "x"})
	d := imageDaemon(t, r, url, "")
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	built := b.Jobs[0].Images
	if len(built) != 1 || !built[0].Pushed || built[0].Layers != 4 || built[0].Repository != r.addr+"/team/api" {
		t.Fatalf("built are %+v\n%s", built, d.jobLog(b.ID, "make"))
	}
	log := d.jobLog(b.ID, "make")
	for _, want := range []string{"Entering phase IMAGES", "the tag {semver} is left out: this is no build of a tag", "Phase complete: IMAGES State: SUCCEEDED", "Pushed " + built[0].Repository + "@" + built[0].Digest, "the secret is ***"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, buildSecret) || strings.Contains(log, "open sesame") {
		t.Errorf("the log tells a secret:\n%s", log)
	}
	if used := d.jobLog(b.ID, "use"); !strings.Contains(used, "it is "+built[0].Digest) {
		t.Errorf("the job behind it was told no digest:\n%s", used)
	}
	for _, tag := range []string{commit[:12], "main", "1", "latest"} {
		pushed, err := r.image("team/api", tag)
		if err != nil {
			t.Fatal(err)
		}
		if digest, err := pushed.Digest(); err != nil || digest.String() != built[0].Digest {
			t.Errorf("the tag %s names %s (%v), want %s", tag, digest, err, built[0].Digest)
		}
	}
	pushed, err := r.image("team/api", "main")
	if err != nil {
		t.Fatal(err)
	}
	files := imageFiles(t, pushed, buildSecret)
	if files["greeting"] != "hello\n" || files["src/made"] != "made here\n" || files["src/Dockerfile"] == "" || files["src/a.log"] != "" {
		t.Errorf("the image holds %q", files)
	}
	config, err := pushed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]string{"org.opencontainers.image.revision": commit, "org.opencontainers.image.source": url, "runner.project": "api", "team": "blue"} {
		if got := config.Config.Labels[label]; got != want {
			t.Errorf("the label %s is %q, want %q", label, got, want)
		}
	}

	again := d.ended(d.retried(b.ID, false), "SUCCEEDED")
	if got := again.Jobs[0].Images; len(got) != 1 || got[0].Digest != built[0].Digest || !strings.Contains(d.jobLog(again.ID, "make"), "CACHED") {
		t.Errorf("the second build of the commit came to %+v, want %s of layers that were kept\n%s", got, built[0].Digest, d.jobLog(again.ID, "make"))
	}
	assertBuildersLeft(t, d, 1)
	d.check()
}

// assertBuildersLeft looks that nothing of a daemon's is on the engine but the layers of so many builders.
func assertBuildersLeft(t *testing.T, d *daemon, states int) {
	t.Helper()
	assertNothingLeft(t, d)
	kept := strings.Fields(docker(t, "volume", "ls", "-q", "--filter", "label=runner.instance="+d.instance))
	named := strings.Fields(docker(t, "volume", "ls", "-q", "--filter", "label=runner.builder", "--filter", "label=runner.instance="+d.instance))
	if len(kept) != states || len(named) != states {
		t.Errorf("the engine keeps the volumes %v, of builders %v; want %d, all of builders", kept, named, states)
	}
}
