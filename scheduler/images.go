package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner"
)

// lookAhead asks the engine for the project's image while the source is fetched and read, since few builds want another.
// What it returns waits for the answer: false where the engine does not have the image, or could not be asked.
func (s *Scheduler) lookAhead(ctx context.Context, p *Project) (answer func() (runner.Image, bool)) {
	ex, f := s.executor(p)
	if f != nil || p.Image == "" || p.Pull == "always" {
		return func() (runner.Image, bool) { return runner.Image{}, false }
	}
	var img runner.Image
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		img, err = ex.Resolve(ctx, runner.ImageRequest{Ref: p.Image, Pull: "never"})
	}()
	return func() (runner.Image, bool) {
		<-done
		return img, err == nil
	}
}

// resolveImages pins the images of all jobs that will run, and of their services. Those of jobs that were refused are
// noted without a pin, so that a retry knows that they are wanted. The project's own is there already if ahead found it.
func (s *Scheduler) resolveImages(ctx context.Context, p *Project, b *Build, jobs []Job, ahead func() (runner.Image, bool)) *planFailure {
	ex, f := s.executor(p)
	if f != nil {
		return f
	}
	b.Images = make(map[string]runner.Image)
	for i := range jobs {
		for _, ref := range s.imagesOf(&b.Plan.Jobs[i]) {
			known, seen := b.Images[ref]
			switch {
			case seen && (known.ID != "" || ref == ""):
			case jobs[i].State == JobEnded:
				b.Images[ref] = runner.Image{Ref: ref}
			default:
				img, found := runner.Image{}, false
				if ref == p.Image {
					img, found = ahead()
				}
				if !found {
					if img, f = s.takeImage(ctx, ex, p, ref, s.lends(p, b, ref)); f != nil {
						return f
					}
				}
				b.Images[ref] = img
			}
		}
	}
	return nil
}

// lends tells whether the credentials of registries are used for an image of a build. A stranger's buildspec could name
// any private image that they open, and read all that is in it; what the project's and the daemon's settings
// name, an admin lets be run.
func (s *Scheduler) lends(p *Project, b *Build, ref string) bool {
	return !b.Fork || ref == p.Image || ref == s.config().Images.Builder
}

// askForImage resolves a reference with the project's pull policy and, where they are lent, its registry's credentials.
func (s *Scheduler) askForImage(ctx context.Context, ex runner.Executor, p *Project, ref string, lend bool) (runner.Image, *planFailure) {
	auth, err := s.registryAuth(ref)
	if err != nil {
		return runner.Image{}, &planFailure{status: Fault, reason: "settings", message: err.Error()}
	}
	withheld := auth != nil && !lend
	if withheld {
		auth = nil
	}
	img, f := resolveImage(ctx, ex, runner.ImageRequest{Ref: ref, Pull: p.Pull, Auth: auth})
	if f != nil && withheld {
		f.message += "; a fork's build is lent no credentials of registries, except for the image that the project's settings name"
	}
	return img, f
}

// Reasons of builds that ended at their image or their engine.
const (
	imageMissing      = "image"
	imagePull         = "image_pull"
	engineUnavailable = "engine_unavailable"
	engineUnknown     = "unknown_engine"
)

func resolveImage(ctx context.Context, ex runner.Executor, req runner.ImageRequest) (runner.Image, *planFailure) {
	img, err := ex.Resolve(ctx, req)
	var missing *runner.ImageError
	switch {
	case err == nil:
		return img, nil
	case errors.As(err, &missing) && !missing.Machine:
		return img, &planFailure{status: Failed, reason: imageMissing, message: err.Error()}
	case errors.As(err, &missing):
		return img, &planFailure{status: Fault, reason: imagePull, message: err.Error(), passing: missing.Passing}
	}
	what := err.Error()
	if errors.As(err, new(*runner.UnavailableError)) {
		what += "; start it (systemctl start docker), or correct engines in the configuration"
	}
	return img, &planFailure{status: Fault, reason: engineUnavailable, passing: true, message: what}
}

// noImage tells whether the image could not be had, for whatever cause, from an engine that answers.
func (f *planFailure) noImage() bool {
	return f != nil && (f.reason == imageMissing || f.reason == imagePull)
}

// takeImage resolves a reference as it was written. Where image-aliases has another image for it, that one is taken,
// unless the engine has an image of this very name.
func (s *Scheduler) takeImage(ctx context.Context, ex runner.Executor, p *Project, written string, lend bool) (runner.Image, *planFailure) {
	other := s.config().ImageFor(written)
	if other == "" || s.needsNoImage(p) {
		return s.askForImage(ctx, ex, p, written, lend)
	}
	if p.Pull != "always" {
		img, f := resolveImage(ctx, ex, runner.ImageRequest{Ref: written, Pull: "never"})
		if !f.noImage() {
			return img, f
		}
	}
	img, f := s.askForImage(ctx, ex, p, other, lend)
	if f != nil {
		f.message = fmt.Sprintf("%s is taken for %s, as image-aliases says: %s", other, written, f.message)
	}
	return img, f
}

// warnOfAliases tells which images were taken for others.
func warnOfAliases(b *Build) {
	const most = 4
	var taken []string
	for _, written := range slices.Sorted(maps.Keys(b.Images)) {
		if img := b.Images[written]; img.ID != "" && img.Ref != written {
			taken = append(taken, fmt.Sprintf("%s for %s", img.Ref, written))
		}
	}
	if more := len(taken) - most; more > 0 {
		taken = append(taken[:most], fmt.Sprintf("%d more", more))
	}
	if len(taken) > 0 {
		b.Warnings = append(b.Warnings, "image-aliases: this build uses "+strings.Join(taken, ", "))
	}
}
