package runner

import (
	"context"
	"io"
	"time"
)

// A BuilderMaker is an executor that makes builders: containers with an engine of their own, in which images are built
// apart from the engine that makes sandboxes.
type BuilderMaker interface {
	// StartBuilder makes a sandbox's builder anew and returns once its engine answers. Of those that keep their layers under
	// one name one runs at a time: others wait. The builder goes with Close, and with the Remove of its sandbox. Errors are
	// those of Create.
	StartBuilder(ctx context.Context, spec BuilderSpec) (Builder, error)
}

// BuilderSpec is everything fixed when a builder is made. There is no credential in it.
type BuilderSpec struct {
	Sandbox string
	Image   Image // with dockerd, the docker command and a shell
	Limits  Limits
	Network Network // of the builder, and of what the builds in it run
	Env     []string

	// State names what the builder finds of earlier ones, and leaves: layers, up to about StateBytes. Empty: nothing.
	State      string
	StateBytes int64
}

// A Builder is one builder that runs. What it hands out was made by commands of builds, and is hostile.
type Builder interface {
	// Unpack writes a tar at the root of the container's files.
	Unpack(ctx context.Context, pack func(w io.Writer) error) error
	// Exec runs a program. Its standard output and error go to out, in pieces as they come. in may be nil.
	Exec(ctx context.Context, argv []string, in io.Reader, out io.Writer) (exit int, err error)
	// Export is Exec with standard output alone; what was said on standard error is in the error of one that failed.
	Export(ctx context.Context, argv []string, out io.Writer) error
	// Close removes the builder, and lets the next one of its state begin. It does so whatever became of contexts, and waits
	// for the engine no longer than it is told; one that was asked goes on by itself.
	Close(within time.Duration) error
}
