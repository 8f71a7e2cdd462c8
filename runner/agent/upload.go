//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// clientError is a mistake in what the buildspec asks for. It fails the phase.
type clientError struct {
	message string
	reason  string // of the job's result, where it has a word of its own
}

func (e *clientError) Error() string { return e.message }

func mistake(format string, args ...any) error {
	return &clientError{message: fmt.Sprintf(format, args...)}
}

// upload runs UPLOAD_ARTIFACTS: it packs what the buildspec lists into the spool, a tar for each artifact. One that
// cannot be had fails the phase, and the others are packed all the same. An error means that the job cannot go on.
func (p *phases) upload(ctx context.Context) error {
	end := p.begin(wire.PhaseUpload)
	p.packing = "artifacts"
	failure, err := p.allArtifacts(ctx)
	switch {
	case err != nil:
		return p.broken(end, err)
	case failure != "":
		p.fail(wire.Done{Reason: p.packing, Phase: wire.PhaseUpload, Message: "uploading artifacts: " + failure})
		end(wire.StatusFailed, codeClient, failure)
	default:
		end(wire.StatusSucceeded, "", "")
	}
	return nil
}

// allArtifacts packs the primary and the secondary artifacts. failure is what was wrong with the first of those that
// failed.
func (p *phases) allArtifacts(ctx context.Context) (failure string, err error) {
	if p.job.Artifacts != nil {
		packed, err := p.artifact(ctx, *p.job.Artifacts, wire.ArtifactsFile)
		if packed != nil {
			p.keeps.artifacts = packed
		}
		if failure, err = p.failedArtifact(err, ""); err != nil {
			return "", err
		}
		if len(p.job.Secondary) == 0 || p.job.Secondary[0].ID == wire.PatchID {
			p.log.say("Preparing to copy secondary artifacts")
			p.log.say("No secondary artifacts defined in buildspec")
		}
	}
	for i, spec := range p.job.Secondary {
		if spec.ID == wire.PatchID {
			if err := p.patch(ctx, wire.SecondaryFile(i)); err != nil {
				return "", err
			}
			continue
		}
		p.log.say("Preparing to copy secondary artifacts %s", spec.ID)
		packed, err := p.artifact(ctx, spec, wire.SecondaryFile(i))
		if packed != nil {
			p.keeps.secondary = append(p.keeps.secondary, *packed)
		}
		message, err := p.failedArtifact(err, fmt.Sprintf("secondary artifact %s: ", spec.ID))
		if err != nil {
			return "", err
		}
		if failure == "" {
			failure = message
		}
	}
	return failure, nil
}

// failedArtifact tells a mistake, which it returns as a message, from trouble that ends the job.
func (p *phases) failedArtifact(err error, prefix string) (string, error) {
	var client *clientError
	if !errors.As(err, &client) {
		return "", err
	}
	if client.reason != "" {
		p.packing = client.reason
	}
	message := p.log.masker.String(prefix + client.message)
	if prefix != "" {
		p.log.say("%s", message)
	}
	return message, nil
}

// artifact packs one artifact.
func (p *phases) artifact(ctx context.Context, spec wire.ArtifactSpec, file string) (*wire.Artifacts, error) {
	spec, name, err := p.expand(ctx, spec)
	if err != nil {
		return nil, err
	}
	p.out.settle() // what expanding the name printed
	list, err := p.selected(ctx, "artifacts.files", spec)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, mistake("no matching artifact paths found: none of artifacts.files (%s) is below %s", strings.Join(spec.Files, ", "), orDot(spec.BaseDirectory))
	}
	bytes, err := packFiles(ctx, p.spool.dir, file, list, p.job.Limits.ArtifactBytes)
	if err != nil {
		return nil, err
	}
	packed := wire.Artifacts{ID: spec.ID, File: file, Files: len(list), Bytes: bytes, Name: name}
	p.spool.add(packed)
	return &packed, nil
}

// selected finds the files that the key what of the buildspec lists, with CodeBuild's lines in the log.
func (p *phases) selected(ctx context.Context, what string, spec wire.ArtifactSpec) ([]packFile, error) {
	p.log.say("Expanding base directory path: %s", orDot(spec.BaseDirectory))
	p.log.say("Assembling file list")
	for _, file := range spec.Files {
		p.log.say("Expanding %s", file)
	}
	list, err := selectFiles(ctx, p.job.Dir, what, spec, p.log.say)
	if err == nil && len(list) > 0 {
		p.log.say("Found %d file(s)", len(list))
	}
	return list, err
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// expand asks the shell for the values of the variables in the paths, as they are at the end of the job, and has
// it expand the artifact's name, which may hold commands too.
func (p *phases) expand(ctx context.Context, spec wire.ArtifactSpec) (wire.ArtifactSpec, string, error) {
	spec, err := p.expandPaths(ctx, "artifacts", spec)
	if err != nil {
		return spec, "", err
	}
	name, err := p.expandText(ctx, "artifacts.name", spec.Name)
	limit := maxArtifactName
	if spec.ID != "" {
		limit = wire.MaxSecondaryName
	}
	if len(name) > limit {
		return spec, "", mistake("artifacts.name has %d bytes after the shell expanded it, want at most %d", len(name), limit)
	}
	return spec, name, err
}

// maxArtifactName is what the artifact store takes, in bytes.
const maxArtifactName = 1024

func (p *phases) expandPaths(ctx context.Context, what string, spec wire.ArtifactSpec) (wire.ArtifactSpec, error) {
	texts := append([]string{spec.BaseDirectory}, spec.Files...)
	texts = append(texts, spec.ExcludePaths...)
	values, err := p.values(ctx, what, texts)
	if err != nil {
		return spec, err
	}
	spec.BaseDirectory = expandVars(spec.BaseDirectory, values)
	spec.Files = expandAll(spec.Files, values)
	spec.ExcludePaths = expandAll(spec.ExcludePaths, values)
	return spec, nil
}
