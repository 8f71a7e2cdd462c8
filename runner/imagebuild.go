package runner

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/push"
	"github.com/runner-ci/runner/runner/wire"
)

// BuildSecrets is where a builder has the values of build secrets: in memory.
const BuildSecrets = "/run/runner-secrets"

// Where a builder has the files of the job, and what it calls an image.
const (
	contextDir = "runner-context"
	builtName  = "runner-built/"
)

// defaultImageBytes bounds the layers of an image where limits.disk does not.
const defaultImageBytes = 32 << 30

// Reasons of jobs whose images could not be had.
const (
	reasonBuild = "image_build"
	reasonPush  = "image_push"
)

// most is how large an image may be.
func (st *imageStage) most() int64 {
	if disk := st.s.attempt.Limits.DiskBytes; disk > 0 {
		return disk
	}
	return defaultImageBytes
}

// buildError tells that a Dockerfile's own commands failed.
type buildError struct{ message string }

func (e *buildError) Error() string { return e.message }

// build builds one image, and writes its tar to a file.
func (st *imageStage) build(ctx context.Context, b ImageBuild, to string) error {
	if err := st.open(ctx); err != nil {
		return err
	}
	st.log.say("Building image %s of %s", b.Name, b.Dockerfile)
	end := &lastLine{to: st.log}
	exit, err := st.builder.Exec(ctx, buildCommand(b, st.im.When, st.last[b.Name]), nil, end)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("building image %s: %w", b.Name, err)
	case exit != 0:
		return &buildError{fmt.Sprintf("building image %s: docker build ended with exit status %d: %s", b.Name, exit, end.line())}
	}
	if err := st.export(ctx, builtName+b.Name, to); err != nil {
		return err
	}
	// Its layers stay, for the next build.
	rm := []string{"docker", "image", "rm", "--force", builtName + b.Name}
	if st.last[b.Name] {
		rm = append(rm, lastName(b.Name))
	}
	_, err = st.builder.Exec(ctx, rm, nil, io.Discard)
	return err
}

// buildCommand is docker build with BuildKit. Times of the build are those of the commit, for tools that ask for them. last
// tells that the builder has the image that was pushed before.
func buildCommand(b ImageBuild, when time.Time, last bool) []string {
	argv := []string{
		"env", "DOCKER_BUILDKIT=1", "BUILDX_NO_DEFAULT_ATTESTATIONS=1", "docker", "build", "--progress", "plain",
		"--file", "/" + path.Join(contextDir, b.Dockerfile), "--tag", builtName + b.Name,
		"--build-arg", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(when.Unix(), 10),
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		argv = append(argv, "--build-arg", name) // of the builder's own environment
	}
	for _, a := range b.Args {
		argv = append(argv, "--build-arg", a.Name+"="+a.Value)
	}
	for _, l := range b.Labels {
		argv = append(argv, "--label", l.Name+"="+l.Value)
	}
	for _, s := range b.Secrets {
		argv = append(argv, "--secret", "id="+s.Name+",src="+BuildSecrets+"/"+s.Name)
	}
	if b.Target != "" {
		argv = append(argv, "--target", b.Target)
	}
	switch {
	case b.NoCache:
		argv = append(argv, "--no-cache")
	case b.Repository != "":
		argv = append(argv, "--build-arg", "BUILDKIT_INLINE_CACHE=1") // the image says of which steps its layers are
	}
	if last {
		argv = append(argv, "--cache-from", lastName(b.Name))
	}
	return append(argv, "/"+path.Join(contextDir, b.Context))
}

// export writes an image's tar, aside first: a file of the name is whole.
func (st *imageStage) export(ctx context.Context, name, to string) error {
	f, err := os.OpenFile(to+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	room := &limited{w: f, left: st.most()}
	err = st.builder.Export(ctx, []string{"docker", "save", name}, room)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(to+".part"))
	}
	return os.Rename(to+".part", to)
}

// limited refuses to write more than is left.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, &push.InputError{Message: "it is larger than limits.disk lets an image be"}
	}
	return l.w.Write(p)
}

// open makes the builder, once, and gives it the job's files and the build secrets.
func (st *imageStage) open(ctx context.Context) error {
	if st.builder != nil {
		return nil
	}
	maker, ok := st.s.ex.(BuilderMaker)
	if !ok {
		return &buildError{fmt.Sprintf("engine %s makes no builders: x-runner.images needs an engine of type docker", st.s.ex.Engine())}
	}
	a := &st.s.attempt
	st.log.say("Starting a builder of %s", imageRef(st.im.Builder))
	b, err := maker.StartBuilder(ctx, BuilderSpec{
		Sandbox: a.Sandbox, Image: st.im.Builder, Limits: a.Limits, Network: a.Network, Env: st.s.runner.Env[st.s.ex.Engine()],
		State: st.im.State, StateBytes: st.im.StateBytes,
	})
	if err != nil {
		return err
	}
	st.builder = b
	if err := st.giveLast(ctx); err != nil {
		return err
	}
	st.used = st.watchBuilder(ctx, st.over)
	return st.give(ctx)
}

func imageRef(i Image) string {
	if i.Ref != "" {
		return i.Ref
	}
	return i.ID
}

// give gives the builder what it builds of.
func (st *imageStage) give(ctx context.Context) error {
	err := st.s.patiently(ctx, "the files for images", func() error {
		f, err := st.s.open(ctx, wire.ContextFile)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the files that images are built of are missing", errDamaged)
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return st.builder.Unpack(ctx, func(w io.Writer) error { return copyContext(w, f, st.im.When, st.most()) })
	})
	if err != nil {
		return fmt.Errorf("giving the builder the job's files: %w", err)
	}
	given := map[string]bool{}
	for _, b := range st.im.Builds {
		for _, s := range b.Secrets {
			if given[s.Name] {
				continue
			}
			given[s.Name] = true
			exit, err := st.builder.Exec(ctx, []string{"sh", "-c", `umask 077; cat >"$0"`, BuildSecrets + "/" + s.Name}, strings.NewReader(s.Value), io.Discard)
			if err == nil && exit != 0 {
				err = fmt.Errorf("exit status %d", exit)
			}
			if err != nil {
				return fmt.Errorf("giving the builder the secret %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// maxContextEntries bounds what a job can have a builder make.
const maxContextEntries = 1 << 20

// copyContext writes the tar that a job left as the builder gets it: files, links and directories below one of ours, with the
// time of the commit, so that what is copied into an image is the same whenever it is built. All else is hostile and refused.
func copyContext(w io.Writer, r io.Reader, when time.Time, most int64) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: contextDir + "/", Mode: 0o755, ModTime: when}); err != nil {
		return err
	}
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if most -= h.Size + 512; most < 0 || n == maxContextEntries {
			return fmt.Errorf("%w: the files for images are more than limits.disk allows", errDamaged)
		}
		name, ok := contextName(h.Name)
		if !ok {
			return fmt.Errorf("%w: the files for images hold the name %q", errDamaged, brief(h.Name, 100))
		}
		to := &tar.Header{Typeflag: h.Typeflag, Name: name, Mode: h.Mode & 0o777, ModTime: when, Format: tar.FormatPAX}
		switch h.Typeflag {
		case tar.TypeReg:
			to.Size = h.Size
		case tar.TypeDir:
			to.Name += "/"
		case tar.TypeSymlink:
			to.Linkname = h.Linkname
		default:
			return fmt.Errorf("%w: the files for images hold %q, which is no file, link or directory", errDamaged, brief(h.Name, 100))
		}
		if err := out.WriteHeader(to); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// contextName is a name of the job's below our directory.
func contextName(name string) (string, bool) {
	clean := path.Clean(name)
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || path.IsAbs(clean) || strings.Contains(name, "\x00") {
		return "", false
	}
	return contextDir + "/" + clean, true
}

// lastLine passes output on and remembers the line to blame.
type lastLine struct {
	to   io.Writer
	tail []byte
}

func (l *lastLine) Write(p []byte) (int, error) {
	l.tail = append(l.tail, p...)
	if over := len(l.tail) - maxNote; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	return l.to.Write(p)
}

// line is the last line that tells of an error, or else the last.
func (l *lastLine) line() string {
	lines := bytes.Split(bytes.TrimSpace(l.tail), []byte("\n"))
	found := lines[len(lines)-1]
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte("ERROR")) || bytes.HasPrefix(line, []byte("failed to solve")) {
			found = line
		}
	}
	return strings.ToValidUTF8(string(found), "?")
}

// failed is the result of a job whose images could not be had.
func (st *imageStage) failed(res Result, err error) Result {
	s := st.s
	s.ours = true
	set := func(status wire.Status, reason, message string) Result {
		res.Status, res.Reason, res.Message, res.Phase = status, reason, s.rec.mask.masker.String(message), PhaseImages
		return res
	}
	var built *buildError
	var input *push.InputError
	var pushed *push.Error
	switch {
	case errors.Is(err, errImageTime):
		return set(wire.StatusTimedOut, "timeout", fmt.Sprintf("%v, %s; raise limits.timeout of the project, or let the images build faster", errImageTime, s.attempt.Timeout))
	case errors.Is(err, errImageDisk):
		return set(wire.StatusFailed, wire.ReasonDisk, fmt.Sprintf("%v, %d bytes; raise the limit of the project, or let the Dockerfiles leave less behind", errImageDisk, s.attempt.Limits.DiskBytes))
	case errors.As(err, &built):
		return set(wire.StatusFailed, reasonBuild, built.message)
	case errors.As(err, &input), errors.Is(err, errDamaged):
		return set(wire.StatusFailed, reasonBuild, err.Error())
	case errors.As(err, &pushed):
		res.Transient = pushed.Passing
		if pushed.Passing {
			return set(wire.StatusFault, reasonPush, err.Error())
		}
		return set(wire.StatusFailed, reasonPush, err.Error())
	case errors.Is(err, errStore), errors.Is(err, artifacts.ErrSealed):
		f := s.storeFault(err)
		res.Transient = f.Transient
		return set(f.Status, f.Reason, f.Message)
	}
	f := provisionFault(err)
	res.Transient = f.Transient
	return set(f.Status, f.Reason, "the job succeeded, but its images could not be built: "+f.Message)
}
