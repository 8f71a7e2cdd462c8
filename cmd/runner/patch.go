package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/source/worktree"
)

// patching is what becomes of the files that a build changed.
type patching struct {
	dir   string // the working tree, or a directory in it
	file  string // where the diff is written; - is standard output
	apply bool
}

// maxPatch bounds what is fetched of one job. An agent packs less, and a job that forges what its agent says can say anything.
const maxPatch = 64 << 20

func (p patching) wanted() bool { return p.file != "" || p.apply }

// patchSets are those of a build's artifact sets that are patches; rest are the others.
func patchSets(sets []client.ArtifactSet) (patches, rest []client.ArtifactSet) {
	for _, s := range sets {
		if s.Artifact == client.PatchArtifact {
			patches = append(patches, s)
		} else {
			rest = append(rest, s)
		}
	}
	return patches, rest
}

// patch fetches what a build changed, shows how much that is, and does with it what was asked for. What comes back is the
// job's word: nothing of the working tree changes unless that was asked for.
func (a *app) patch(ctx context.Context, c *client.Client, b client.Build, sets []client.ArtifactSet, do patching) error {
	if len(sets) == 0 {
		if do.file != "" && do.file != "-" {
			return hinted(fmt.Errorf("%s changed none of the files that x-runner.patch names, so %s is not written", b.ID, do.file), "name files that it may change under x-runner.patch in the buildspec")
		}
		a.notes().Lines("the build changed no file of x-runner.patch")
		return nil
	}
	tmp, err := os.MkdirTemp("", "runner-patch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	var left []worktree.Left
	for i, set := range sets {
		if set.Bytes > maxPatch {
			return fmt.Errorf("the patch of job %s of %s has %d MiB, more than the %d that an agent packs: it is not what it says", set.Job, b.ID, set.Bytes>>20, maxPatch>>20)
		}
		one, err := fetchPatch(ctx, c, b.ID, set, filepath.Join(tmp, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		left = append(left, one)
	}
	diff, err := worktree.NewPatch(ctx, do.dir, b.Commit, left)
	if err != nil {
		return fmt.Errorf("making a diff of what %s changed: %w", b.ID, err)
	}
	if len(diff.Paths) == 0 {
		a.notes().Lines("what the build changed is the same here, or ignored")
		return nil
	}
	if do.file != "-" {
		a.notes().Lines(strings.Split(diff.Stat, "\n")...)
	}
	switch {
	case do.file == "-":
		_, err = a.out.Write(diff.Diff)
	case do.file != "":
		if err = os.WriteFile(do.file, diff.Diff, 0o644); err == nil {
			a.notes().Lines("written to " + do.file + "; apply it with: git apply " + do.file)
		}
	}
	if err != nil || !do.apply {
		return err
	}
	if err := diff.Apply(ctx); err != nil {
		return err
	}
	a.notes().Lines("applied to the working tree; git diff shows it")
	return nil
}

// fetchPatch unpacks one job's patch.
func fetchPatch(ctx context.Context, c *client.Client, build string, set client.ArtifactSet, dir string) (left worktree.Left, err error) {
	archive, err := c.ArchiveOf(ctx, build, client.Choice{Job: set.Job, Artifact: set.Artifact}, "tar.zst")
	if err != nil {
		return left, err
	}
	defer archive.Close()
	if _, _, err := unpack(archive, dir); err != nil {
		return left, fmt.Errorf("unpacking what job %s of %s changed: %w", set.Job, build, err)
	}
	left.Files = filepath.Join(dir, "files")
	text, err := os.ReadFile(filepath.Join(dir, "gone"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return left, err
	}
	left.Gone = slices.DeleteFunc(strings.Split(string(text), "\x00"), func(s string) bool { return s == "" })
	return left, nil
}
