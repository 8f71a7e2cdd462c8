package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newArtifacts(a *app) *cobra.Command {
	var out, zip, tar, patch string
	var of client.Choice
	cmd := &cobra.Command{
		Use:   "artifacts BUILD [ls]",
		Short: "List or fetch the files that a build left",
		Long: "Lists the files that a build's jobs left, or fetches them: unpacked, as a zip, or as a tar.zst. Of several jobs,\n" +
			"each one's files are below a folder of its id; those of its secondary artifacts in one of job and artifact. FILE may\n" +
			"be - for standard output.\n\n" + buildArg,
		Example: "  runner artifacts api#142\n  runner artifacts api#142 --out dist\n  runner artifacts api#142 --artifact symbols --zip symbols.zip\n" +
			"  runner artifacts api#142 --reports --out reports\n  runner artifacts api --tar - | tar --zstd -t",
		Args: cobra.MatchAll(needs, onlyLs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				list := c.Artifacts
				if of.Reports {
					list = c.Reports
				}
				sets, err := list(cmd.Context(), id)
				if err != nil {
					return err
				}
				if sets, err = chosen(sets, id, of); err != nil {
					return err
				}
				if patch != "" {
					return a.patchOf(cmd.Context(), c, id, sets, patching{dir: ".", file: patch})
				}
				if _, rest := patchSets(sets); len(rest) == 1 && of.Artifact == "" {
					of = only(rest, of)
				} else {
					of = only(sets, of)
				}
				switch {
				case zip != "":
					return a.archive(cmd.Context(), c, id, of, "zip", zip)
				case tar != "":
					return a.archive(cmd.Context(), c, id, of, "tar.zst", tar)
				case out != "":
					return a.fetch(cmd.Context(), c, id, of, out)
				case a.json:
					return terminal.JSON(a.out, sets)
				}
				terminal.Files(a.view(), sets)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "unpack into this `DIR`")
	cmd.Flags().StringVar(&zip, "zip", "", "write a zip to this `FILE`")
	cmd.Flags().StringVar(&tar, "tar", "", "write a tar.zst to this `FILE`")
	cmd.Flags().StringVar(&patch, "patch", "", "write what the build changed of the files that x-runner.patch names to this `FILE`, as a diff for the working tree here; - is standard output")
	cmd.Flags().StringVar(&of.Job, "job", "", "only of this job")
	cmd.Flags().StringVar(&of.Artifact, "artifact", "", "only the secondary artifact of this `ID`; - is the one that is none")
	cmd.Flags().BoolVar(&of.Reports, "reports", false, "report files instead of artifacts")
	a.jsonFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("artifact", "reports")
	cmd.MarkFlagsMutuallyExclusive("out", "zip", "tar", "json", "patch")
	cmd.MarkFlagsMutuallyExclusive("artifact", "patch")
	cmd.MarkFlagsMutuallyExclusive("reports", "patch")
	return exits(a.remote(cmd), exitDone, exitTrouble+", or there are no artifacts")
}

// patchOf is patch for a build that is over.
func (a *app) patchOf(ctx context.Context, c *client.Client, id string, sets []client.ArtifactSet, do patching) error {
	b, err := c.Build(ctx, id)
	if err != nil {
		return err
	}
	patches, _ := patchSets(sets)
	return a.patch(ctx, c, b, patches, do)
}

func onlyLs(_ *cobra.Command, args []string) error {
	if len(args) == 2 && args[1] != "ls" {
		return fmt.Errorf("%q is not known here; there is ls, and the flags --out, --zip and --tar", args[1])
	}
	return nil
}

// chosen returns the sets that a choice means. Having none is an error.
func chosen(sets []client.ArtifactSet, id string, of client.Choice) ([]client.ArtifactSet, error) {
	var some []client.ArtifactSet
	for _, s := range sets {
		artifact := of.Artifact == "" || of.Artifact == s.Artifact || (of.Artifact == client.PrimaryArtifact && s.Artifact == "")
		if artifact && (of.Job == "" || s.Job == of.Job) {
			some = append(some, s)
		}
	}
	if len(some) > 0 {
		return some, nil
	}
	what := "artifacts"
	switch {
	case of.Reports:
		what = "reports"
	case of.Artifact != "" && of.Artifact != client.PrimaryArtifact:
		what = fmt.Sprintf("artifact %q", of.Artifact)
	}
	switch {
	case of.Job != "":
		return nil, hinted(fmt.Errorf("job %q of %s left no %s", of.Job, id, what), "runner artifacts %s lists what there is", id)
	case len(sets) > 0:
		return nil, hinted(fmt.Errorf("%s left no %s", id, what), "runner artifacts %s lists what there is", id)
	}
	return nil, hinted(fmt.Errorf("%s left no %s", id, what), "the sections artifacts and reports of buildspec.yml name what is kept")
}

// only narrows a choice to the one set that it means, whose files are then not below a folder of its name.
func only(sets []client.ArtifactSet, of client.Choice) client.Choice {
	if len(sets) != 1 {
		return of
	}
	of.Job, of.Artifact, of.Reports = sets[0].Job, sets[0].Artifact, sets[0].Reports
	if of.Artifact == "" && !of.Reports {
		of.Artifact = client.PrimaryArtifact
	}
	return of
}

// archive writes an archive to a file, whole or not at all, or to standard output.
func (a *app) archive(ctx context.Context, c *client.Client, id string, of client.Choice, format, file string) error {
	r, err := c.ArchiveOf(ctx, id, of, format)
	if err != nil {
		return err
	}
	defer r.Close()
	if file == "-" {
		_, err := io.Copy(a.out, r)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	p := terminal.NewProgress(a.notes(), "fetched", 0)
	began := time.Now()
	n, err := io.Copy(f, p.Reader(r))
	p.Stop()
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("fetching the artifacts of %s into %s: %w", id, file, err)
	}
	terminal.Fact(a.notes(), "fetched", fmt.Sprintf("%s, %s", file, terminal.Size(n)), time.Since(began))
	return nil
}
