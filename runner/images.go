package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/push"
	"github.com/runner-ci/runner/runner/wire"
)

// PhaseImages is the phase in which images are built of a job's workspace, and pushed.
const PhaseImages = "IMAGES"

// Images are what an attempt builds once its job has succeeded.
type Images struct {
	Builder    Image
	Builds     []ImageBuild
	When       time.Time // of the commit
	State      string    // what layers are kept under: see BuilderSpec
	StateBytes int64
	Lacks      string // what cannot be had that they need, where nothing else is set
}

// ImageBuild is one image.
type ImageBuild struct {
	Name, Dockerfile, Context, Target string
	Args, Labels                      []wire.Var
	Secrets                           []wire.Var // build secrets with their values
	NoCache                           bool

	Repository string // "": it is not pushed
	Tags       []string
	Notes      []string // what is to be said of its tags
	Withheld   string   // why it is not pushed although it has a repository; "": it is
	Auth       *RegistryAuth
	Last       string // digest of what was pushed there before, whose layers a builder without any may have; "": none
	Variable   string // exported with the digest
}

// secrets are the values that are masked in what comes out of the attempt: those that its job has, and the passwords of
// registries, which it has not.
func (a *Attempt) secrets() []string {
	if a.Images == nil {
		return a.Job.Secrets
	}
	all := slices.Clone(a.Job.Secrets)
	for _, b := range a.Images.Builds {
		if b.Auth != nil {
			all = append(all, b.Auth.Password)
		}
	}
	return all
}

// BuiltImage is what became of an image.
type BuiltImage struct {
	Name       string   `json:"name"`
	Repository string   `json:"repository,omitempty"`
	Tags       []string `json:"tags,omitempty"`
	Digest     string   `json:"digest"`
	Size       int64    `json:"size"` // of what is pushed
	Layers     int      `json:"layers"`
	Pushed     bool     `json:"pushed"`
}

// imagesFile is the record of the images that are done, in the sandbox's own directory, which no job sees.
const imagesFile = "images.json"

// imageStage is the work on the images of one attempt. A daemon that takes it up after another one died finds what is done in
// the record, and what was handed out as a tar; it builds the rest anew, with the layers that the builder kept.
//
//  1. the builder is made, with the files that the job's agent packed; build secrets go to its memory
//  2. for each image: it is built; its tar is written aside and then gets its name; it is read, checked and pushed; it is
//     written into the record
//  3. the builder goes
type imageStage struct {
	s       *session
	im      *Images
	dir     string
	log     *liveLog
	builder Builder
	used    func()      // ends the watch over the builder's disk
	over    func(error) // ends the work
	imageRecord
	last map[string]bool // images whose last push the builder was given
}

// imageRecord is what imagesFile says.
type imageRecord struct {
	Done map[string]BuiltImage `json:"done"`
	Told bool                  `json:"told"` // the phase is over in the log, too
}

// images builds and pushes the images of a job that succeeded.
func (s *session) images(ctx context.Context, res Result) Result {
	if s.attempt.Images == nil || res.Status != wire.StatusSucceeded {
		return res
	}
	if s.stop != nil { // the job succeeded before it was told; what follows would not be told any more
		res.Status, res.Reason, res.Message, res.Phase = s.stop.Status, s.stop.Reason, s.stop.Message, PhaseImages
		return res
	}
	if lacks := s.attempt.Images.Lacks; lacks != "" {
		s.ours = true
		res.Status, res.Reason, res.Phase, res.Transient = wire.StatusFault, "secrets", PhaseImages, true
		res.Message = "the job succeeded, but its images could not be built: " + lacks
		return res
	}
	st := &imageStage{s: s, im: s.attempt.Images, dir: s.runner.dir(s.attempt.Sandbox), last: map[string]bool{}}
	st.Done = map[string]BuiltImage{}
	if err := st.read(); err != nil {
		return st.failed(res, err)
	}
	if !st.Told {
		err := st.stoppable(ctx)
		switch {
		case ctx.Err() != nil:
			return res // the next daemon goes on
		case s.stop != nil:
			res.Status, res.Reason, res.Message, res.Phase = s.stop.Status, s.stop.Reason, s.stop.Message, PhaseImages
			return res
		case err != nil:
			return st.failed(res, err)
		}
	}
	for _, b := range st.im.Builds {
		image := st.Done[b.Name]
		res.Images = append(res.Images, image)
		res.Exported = append(res.Exported, wire.Var{Name: b.Variable, Value: image.Digest})
	}
	return res
}

// How long the removal of a builder is waited for. What is left goes with its sandbox.
const (
	builderClose = 30 * time.Second
	builderLeave = time.Second
)

// errImageTime ends images that take longer than a job may.
var errImageTime = errors.New("building the images took longer than the job's limit of time")

// stoppable works until the images are done, somebody stops the build, or the time is up.
func (st *imageStage) stoppable(ctx context.Context) error {
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st.over = cancel
	if limit := st.s.attempt.Timeout; limit > 0 {
		var end context.CancelFunc
		working, end = context.WithTimeoutCause(working, limit, errImageTime)
		defer end()
	}
	ended := make(chan error, 1)
	go func() {
		err := st.work(working)
		if err != nil {
			err = errors.Join(context.Cause(working), err) // what ended the work stands before what came of that
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case req := <-st.s.attempt.Stop:
		cancel(nil)
		err := <-ended
		st.s.stopWith(req)
		return err
	}
}

// work does what is left to do.
func (st *imageStage) work(ctx context.Context) (err error) {
	st.log = newLiveLog(ctx, st.s.rec)
	began := time.Now()
	st.log.phase(wire.PhaseEnded{Phase: PhaseImages, At: began.UnixNano()})
	st.log.say("Entering phase %s", PhaseImages)
	defer func() {
		if st.builder != nil {
			st.used()
			within := builderClose
			if errors.Is(context.Cause(ctx), context.Canceled) {
				within = builderLeave // the daemon is told to end, or somebody waits for the end of the build
			}
			err = errors.Join(err, st.builder.Close(within))
		}
		status := wire.StatusSucceeded
		if err != nil {
			status = wire.StatusFailed
		}
		if cause := context.Cause(ctx); cause == nil || errors.Is(cause, errImageTime) || errors.Is(cause, errImageDisk) {
			st.log.say("Phase complete: %s State: %s", PhaseImages, status)
			st.log.phase(wire.PhaseEnded{Phase: PhaseImages, Status: status, Millis: time.Since(began).Milliseconds(), At: time.Now().UnixNano()})
		}
		if err == nil {
			st.Told = true
			err = st.write()
		}
		err = errors.Join(err, st.log.close())
	}()
	if err := st.s.ex.Kill(ctx, st.s.attempt.Sandbox); err != nil && !errors.Is(err, ErrNoSandbox) {
		return err // its memory and its processors are the builder's now
	}
	for n, b := range st.im.Builds {
		if _, done := st.Done[b.Name]; done {
			continue
		}
		image, err := st.one(ctx, n, b)
		if err != nil {
			return err
		}
		st.Done[b.Name] = image
		st.log.sync() // what is done is told
		if err := st.write(); err != nil {
			return err
		}
		st.clean(n)
		failpoint.Pass("6/image-recorded")
	}
	return nil
}

// one builds one image and pushes it.
func (st *imageStage) one(ctx context.Context, n int, b ImageBuild) (none BuiltImage, err error) {
	tar, layers := st.tar(n), st.layers(n)
	if _, err := os.Lstat(tar); errors.Is(err, fs.ErrNotExist) {
		if err := st.build(ctx, b, tar); err != nil {
			return none, err
		}
		failpoint.Pass("6/image-exported")
	} else if err != nil {
		return none, err
	}
	if err := os.MkdirAll(layers, 0o700); err != nil {
		return none, err
	}
	image, err := push.Read(ctx, tar, layers, st.im.When, st.most())
	if err != nil {
		return none, err
	}
	out := BuiltImage{Name: b.Name, Digest: image.Digest, Size: image.Size, Layers: image.Layers}
	for _, note := range b.Notes {
		st.log.say("Image %s: %s", b.Name, note)
	}
	switch {
	case b.Repository == "":
		st.log.say("Image %s is %s, %d layers, %d bytes; the buildspec pushes it nowhere", b.Name, out.Digest, out.Layers, out.Size)
		return out, nil
	case b.Withheld != "":
		st.log.say("Image %s is %s, %d layers, %d bytes; it is not pushed: %s", b.Name, out.Digest, out.Layers, out.Size, b.Withheld)
		return out, nil
	case len(b.Tags) == 0:
		st.log.say("Image %s is not pushed: none of its tags has a value in this build", b.Name)
		return out, nil
	}
	to := push.Target{Repository: b.Repository, Tags: b.Tags}
	if b.Auth != nil {
		to.Username, to.Password = b.Auth.Username, b.Auth.Password
	}
	st.log.say("Pushing image %s to %s with the tags %v", b.Name, b.Repository, b.Tags)
	st.log.sync()
	if err := st.s.runner.Pusher.Push(ctx, image, to, st.log.say); err != nil {
		return none, err
	}
	failpoint.Pass("6/image-pushed")
	out.Repository, out.Tags, out.Pushed = b.Repository, b.Tags, true
	st.log.say("Pushed %s@%s: %d layers, %d bytes", b.Repository, out.Digest, out.Layers, out.Size)
	return out, nil
}

func (st *imageStage) tar(n int) string { return filepath.Join(st.dir, fmt.Sprintf("image-%d.tar", n)) }

func (st *imageStage) layers(n int) string {
	return filepath.Join(st.dir, fmt.Sprintf("image-%d", n))
}

// clean removes the files of an image that is done. The sandbox's removal takes what stays.
func (st *imageStage) clean(n int) {
	_ = os.Remove(st.tar(n))
	_ = os.RemoveAll(st.layers(n))
}

// read reads the record of a former daemon, if there is one.
func (st *imageStage) read() error {
	text, err := os.ReadFile(filepath.Join(st.dir, imagesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &st.imageRecord)
	}
	if err != nil {
		return fmt.Errorf("reading which images are done: %w", err)
	}
	return nil
}

func (st *imageStage) write() error {
	text, err := json.Marshal(st.imageRecord)
	if err != nil {
		return err
	}
	part := filepath.Join(st.dir, wire.PartOf(imagesFile))
	if err := writeSynced(part, text); err != nil {
		return fmt.Errorf("writing which images are done: %w", err)
	}
	return os.Rename(part, filepath.Join(st.dir, imagesFile))
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
