package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/push"
)

// Bounds on what a builder is given of an earlier push: layers that cannot be had soon are made again.
const (
	lastTime  = 2 * time.Minute // for all images of a job
	lastBytes = 4 << 30         // of one image, as the registry has it
)

// lastName is what a builder calls the image that was pushed before. No registry has the name: where the builder does not
// find the image itself, nobody else can hand it one.
func lastName(image string) string { return "last-push.invalid/of/" + image + ":last" }

// giveLast gives a builder that has no layers those of the images that were pushed last. It comes before the watch over the
// builder's disk, so that they count as what it kept. What goes wrong is said, and costs time alone.
func (st *imageStage) giveLast(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	asked := false
	for _, b := range st.im.Builds {
		if _, done := st.Done[b.Name]; done || b.Last == "" || b.NoCache || b.Withheld != "" {
			continue
		}
		if !asked && !st.bare(within) {
			break
		}
		asked = true
		began := time.Now()
		size, err := st.load(within, b)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			st.log.say("Image %s: the layers of its last push, %s, are not at hand: %v; it is built without them", b.Name, b.Last, err)
		default:
			st.last[b.Name] = true
			st.log.say("Image %s: the builder has no layers, and was given those of the last push, %s: %d bytes in %s", b.Name, b.Last, size, time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// bare tells whether a builder has no layers of earlier builds.
func (st *imageStage) bare(ctx context.Context) bool {
	var out bytes.Buffer
	err := st.builder.Export(ctx, []string{"docker", "system", "df", "--format", "{{.Type}}={{.TotalCount}}"}, &out)
	return err == nil && strings.Contains(out.String(), "Build Cache=0\n")
}

// load brings the image of the last push from its registry into the builder.
func (st *imageStage) load(ctx context.Context, b ImageBuild) (size int64, err error) {
	from := push.Target{Repository: b.Repository}
	if b.Auth != nil {
		from.Username, from.Password = b.Auth.Username, b.Auth.Password
	}
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		n, err := st.s.runner.Pusher.Pull(ctx, from, b.Last, lastName(b.Name), min(lastBytes, st.most()), w)
		size = n
		w.CloseWithError(err) // nil: the end
		ended <- err
	}()
	exit, err := st.builder.Exec(ctx, []string{"docker", "load", "--quiet"}, r, io.Discard)
	if err == nil && exit != 0 {
		err = fmt.Errorf("docker load ended with exit status %d", exit)
	}
	_ = r.CloseWithError(errLoadEnded)
	if pulled := <-ended; pulled != nil && !errors.Is(pulled, errLoadEnded) {
		err = pulled
	}
	return size, err
}

// errLoadEnded ends the pull of an image that a builder does not read any more.
var errLoadEnded = errors.New("the builder does not take the image")
