package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/runner-ci/runner/runner"
)

// fetch pulls one image and reads the engine's progress to its end, where errors hide.
func (e *Engine) fetch(ctx context.Context, f facts, named reference.Named, req runner.ImageRequest) error {
	opts := image.PullOptions{}
	if a := req.Auth; a != nil {
		auth, err := registry.EncodeAuthConfig(registry.AuthConfig{
			Username: a.Username, Password: a.Password, ServerAddress: reference.Domain(named),
		})
		if err != nil {
			return &runner.ImageError{Ref: req.Ref, Err: fmt.Errorf("encoding the credentials: %w", err)}
		}
		opts.RegistryAuth = auth
	}
	if err := e.recordPull(ctx, named.String()); err != nil {
		return err
	}
	began := time.Now()
	stream, err := e.api.ImagePull(ctx, named.String(), opts)
	if err == nil {
		err = errors.Join(readPull(stream), stream.Close())
	}
	if err == nil {
		e.log.Info("pulled", "image", named.String(), "took", time.Since(began).Round(time.Millisecond))
		return nil
	}
	return e.pullFailed(ctx, f, req, err)
}

// pullError is an error that the engine wrote into the stream of a pull.
type pullError struct{ text string }

func (p *pullError) Error() string { return p.text }

// readPull reads the JSON objects of a pull's progress and returns the error that one of them bears.
func readPull(r io.Reader) error {
	dec := json.NewDecoder(r)
	for {
		var line struct {
			Error  string `json:"error"`
			Detail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		err := dec.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's progress: %w", err)
		case line.Error != "":
			return &pullError{line.Error}
		case line.Detail.Message != "":
			return &pullError{line.Detail.Message}
		}
	}
}

// pullFailed tells the engine's own troubles from the registry's. What the engine answers over a working
// connection is about the registry, even a status of 5xx.
func (e *Engine) pullFailed(ctx context.Context, f facts, req runner.ImageRequest, err error) error {
	var inStream *pullError
	answered := errors.As(err, &inStream) || cerrdefs.IsNotFound(err) || cerrdefs.IsInternal(err) ||
		cerrdefs.IsUnauthorized(err) || cerrdefs.IsPermissionDenied(err) || cerrdefs.IsInvalidArgument(err)
	if !answered {
		if err := e.fail(ctx, "pulling "+req.Ref, err); unavailable(err) || ctx.Err() != nil {
			return err
		}
	}
	machine, passing := pullFault(err)
	return &runner.ImageError{Ref: req.Ref, Err: err, Hint: pullHint(err, f, req), Machine: machine, Passing: passing}
}

// The words by which engines and registries tell why a pull failed.
var (
	saysFull     = []string{"no space left on device"}
	saysPlatform = []string{"no matching manifest", "does not match the specified platform", "cannot be used on this platform"}
	saysLimited  = []string{"toomanyrequests", "rate limit"}
	saysDenied   = []string{"unauthorized", "denied", "authentication required", "no basic auth credentials"}
	saysTrust    = []string{"x509", "certificate"}
	saysPlain    = []string{"server gave http response to https client"}
	saysNetwork  = []string{"dial tcp", "no such host", "connection refused", "i/o timeout", "tls handshake", "awaiting headers", "network is unreachable", "server misbehaving", "eof"}
	saysMissing  = []string{"not found", "manifest unknown", "name unknown", "does not exist"}
)

// pullFault tells whether a failed pull is the machine's fault, and then whether it may be over soon. What does not exist,
// or is not for who asks, was asked for wrongly. The order is pullHint's.
func pullFault(err error) (machine, passing bool) {
	switch {
	case says(err, saysFull...):
		return true, true
	case says(err, saysPlatform...):
		return false, false
	case says(err, saysLimited...):
		return true, true
	case says(err, saysDenied...):
		return false, false
	case says(err, saysTrust...), says(err, saysPlain...):
		return true, false
	case says(err, saysNetwork...):
		return true, true
	case says(err, saysMissing...):
		return false, false
	}
	return true, true
}

// pullHint says what to do about a failed pull. The order matters: registries answer "denied" for what does not
// exist, and engines wrap one cause in another's words.
func pullHint(err error, f facts, req runner.ImageRequest) string {
	switch {
	case says(err, saysFull...):
		return "the engine's disk is full: remove images with docker image prune, or give it more room"
	case says(err, saysPlatform...):
		return fmt.Sprintf("the registry has it for other platforms only, the engine needs linux/%s", f.goarch)
	case says(err, saysLimited...):
		return "the registry limits pulls: configure credentials under registries, or a mirror in the engine"
	case says(err, saysDenied...):
		if req.Auth == nil {
			return "it does not exist, or it needs credentials: check the name, or configure registries"
		}
		return fmt.Sprintf("it does not exist, or the registry refused user %q: check the name and the credentials under registries", req.Auth.Username)
	case says(err, saysTrust...):
		return "the engine does not trust the registry's certificate: put its CA into /etc/docker/certs.d/HOST/ca.crt on the engine's host"
	case says(err, saysPlain...):
		return "the registry speaks plain HTTP: add it to insecure-registries of the engine"
	case says(err, saysNetwork...):
		return "the engine cannot reach the registry: check the name, the engine's network and its proxy; with pull policy if-not-present a loaded image is enough"
	case says(err, saysMissing...):
		return "check the name and the tag"
	}
	return "try docker pull on the engine's host"
}
