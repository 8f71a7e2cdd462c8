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
	var out, zip, tar, job string
	cmd := &cobra.Command{
		Use:   "artifacts BUILD [ls]",
		Short: "List or fetch the files that a build left",
		Long: "Lists the files that a build's jobs left, or fetches them: unpacked, as a zip, or as a tar.zst. Of several jobs,\n" +
			"each one's files are below a folder of its id. FILE may be - for standard output.\n\n" + buildArg,
		Example: "  runner artifacts api#142\n  runner artifacts api#142 --out dist\n  runner artifacts api --tar - | tar --zstd -t",
		Args:    cobra.MatchAll(cobra.RangeArgs(1, 2), onlyLs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				sets, err := c.Artifacts(cmd.Context(), id)
				if err != nil {
					return err
				}
				if sets, err = ofJob(sets, id, job); err != nil {
					return err
				}
				if len(sets) == 1 {
					job = sets[0].Job // its files are not below a folder of its name
				}
				switch {
				case zip != "":
					return a.archive(cmd.Context(), c, id, job, "zip", zip)
				case tar != "":
					return a.archive(cmd.Context(), c, id, job, "tar.zst", tar)
				case out != "":
					return a.fetch(cmd.Context(), c, id, sets, out)
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
	cmd.Flags().StringVar(&job, "job", "", "only of this job")
	a.jsonFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("out", "zip", "tar", "json")
	return exits(a.remote(cmd), exitDone, exitTrouble+", or there are no artifacts")
}

func onlyLs(_ *cobra.Command, args []string) error {
	if len(args) == 2 && args[1] != "ls" {
		return fmt.Errorf("%q is not known here; there is ls, and the flags --out, --zip and --tar", args[1])
	}
	return nil
}

// ofJob returns the sets of one job, or all.
func ofJob(sets []client.ArtifactSet, id, job string) ([]client.ArtifactSet, error) {
	var some []client.ArtifactSet
	for _, s := range sets {
		if job == "" || s.Job == job {
			some = append(some, s)
		}
	}
	if len(some) == 0 && job != "" {
		return nil, hinted(fmt.Errorf("job %q of %s left no artifacts", job, id), "runner artifacts %s lists what there is", id)
	}
	if len(some) == 0 {
		return nil, hinted(fmt.Errorf("%s left no artifacts", id), "the artifacts section of buildspec.yml names what is kept")
	}
	return some, nil
}

// archive writes an archive to a file, whole or not at all, or to standard output.
func (a *app) archive(ctx context.Context, c *client.Client, id, job, format, file string) error {
	r, err := c.Archive(ctx, id, job, format)
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
