package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"

	"github.com/runner-ci/runner/runner"
)

// Pull policies.
const (
	pullAlways  = "always"
	pullMissing = "if-not-present" // the default
	pullNever   = "never"
)

// Resolve applies the pull policy and pins the image. Concurrent requests for the same image share one pull, which
// goes on when a requester gives up: the next one finds the image there.
func (e *Engine) Resolve(ctx context.Context, req runner.ImageRequest) (runner.Image, error) {
	named, err := checkRequest(req)
	if err != nil {
		return runner.Image{}, err
	}
	f, err := e.engineFacts(ctx)
	if err != nil {
		return runner.Image{}, err
	}
	if req.Pull != pullAlways || named == nil {
		img, err := e.present(ctx, f, req.Ref, named)
		if err == nil || !cerrdefs.IsNotFound(err) {
			return img, err
		}
		if req.Pull == pullNever || named == nil {
			return runner.Image{}, absent(req, err)
		}
	}
	if err := e.pull(ctx, f, named, req); err != nil {
		return runner.Image{}, err
	}
	img, err := e.present(ctx, f, req.Ref, named)
	if cerrdefs.IsNotFound(err) {
		return img, &runner.ImageError{Ref: req.Ref, Err: errors.New("it was removed just after it was pulled"), Machine: true, Passing: true, Hint: "look who else cleans up on that engine"}
	}
	return img, err
}

// checkRequest parses the reference. It is nil for an image id, which no registry knows.
func checkRequest(req runner.ImageRequest) (reference.Named, error) {
	switch req.Pull {
	case "", pullAlways, pullMissing, pullNever:
	default:
		return nil, &runner.ImageError{Ref: req.Ref, Err: fmt.Errorf("pull policy is %q", req.Pull), Hint: "use always, if-not-present or never"}
	}
	any, err := reference.ParseAnyReference(req.Ref)
	if err != nil {
		return nil, &runner.ImageError{
			Ref: req.Ref, Err: fmt.Errorf("it is no image reference: %w", err),
			Hint: "write name, name:tag, registry.example.com/name:tag or name@sha256:…",
		}
	}
	named, ok := any.(reference.Named)
	if !ok {
		return nil, nil
	}
	if a := req.Auth; a != nil && a.Server != "" && !sameRegistry(a.Server, reference.Domain(named)) {
		return nil, &runner.ImageError{
			Ref: req.Ref, Err: fmt.Errorf("the credentials are for %s, the image is at %s", a.Server, reference.Domain(named)),
			Hint: "correct server in registries",
		}
	}
	return named, nil
}

// sameRegistry compares a configured server with a reference's domain, knowing Docker Hub's other names.
func sameRegistry(server, domain string) bool {
	_, host, found := strings.Cut(server, "://")
	if !found {
		host = server
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io", "hub.docker.com":
		host = "docker.io"
	}
	return host == domain
}

// present looks an image up on the engine. A missing one gives an error that cerrdefs.IsNotFound knows.
func (e *Engine) present(ctx context.Context, f facts, ref string, named reference.Named) (runner.Image, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := e.api.ImageInspect(short, ref)
	if cerrdefs.IsNotFound(err) {
		return runner.Image{}, err
	}
	if err != nil {
		return runner.Image{}, e.fail(ctx, "inspecting image "+ref, err)
	}
	if in.Os != "" && in.Os != "linux" || !runs(f.goarch, in.Architecture) {
		return runner.Image{}, &runner.ImageError{
			Ref: ref, Err: fmt.Errorf("it is made for %s/%s, engine %s runs linux/%s", in.Os, in.Architecture, e.opts.Engine, f.goarch),
			Hint: "name an image of the engine's platform, or use another engine",
		}
	}
	if named != nil {
		e.usedPull(named.String())
	}
	img := runner.Image{Ref: ref, ID: in.ID, Digest: repoDigest(in, named)}
	if in.Config != nil {
		img.User = in.Config.User
	}
	return img, nil
}

// repoDigest picks the manifest digest by which the registry of the reference knows the image.
func repoDigest(in image.InspectResponse, named reference.Named) string {
	if named == nil {
		return ""
	}
	for _, rd := range in.RepoDigests {
		ref, err := reference.ParseNormalizedNamed(rd)
		if err != nil || ref.Name() != named.Name() {
			continue
		}
		if d, ok := ref.(reference.Digested); ok {
			return d.Digest().String()
		}
	}
	return ""
}

func absent(req runner.ImageRequest, err error) error {
	hint := "load it there with docker pull, docker load or docker build, or set the project's pull policy to if-not-present"
	if req.Pull != pullNever {
		hint = "an image id cannot be pulled: name a tag or a digest, or load the image into the engine"
	}
	return &runner.ImageError{Ref: req.Ref, Err: fmt.Errorf("the engine does not have it: %w", err), Hint: hint}
}

// pullTimeout ends a pull that makes no end: 10 GB at 3 MB/s fit in.
const pullTimeout = time.Hour

// pull fetches an image, together with whoever asks for the same.
func (e *Engine) pull(ctx context.Context, f facts, named reference.Named, req runner.ImageRequest) error {
	key := named.String()
	if req.Auth != nil {
		key += "\x00" + req.Auth.Username + "\x00" + req.Auth.Password
	}
	done := e.pulls.DoChan(key, func() (any, error) {
		long, cancel := context.WithTimeout(e.life, pullTimeout)
		defer cancel()
		return nil, e.fetch(long, f, named, req)
	})
	select {
	case res := <-done:
		return res.Err
	case <-ctx.Done():
		return e.fail(ctx, "pulling "+req.Ref, ctx.Err())
	}
}
