package server

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type setsIn struct {
	BuildInput
	PageInput
}

type fileIn struct {
	BuildInput
	Job  string `query:"job" maxLength:"200" doc:"id of the job; default: the first that left files"`
	Path string `query:"path" required:"true" maxLength:"8192" doc:"as the list has it"`
}

type archiveIn struct {
	BuildInput
	Job    string `query:"job" maxLength:"200" doc:"only of this job; default: all, each below a folder named by its id"`
	Format string `query:"format" enum:"zip,tar.zst" default:"zip"`
}

func (a *api) routeArtifacts() {
	tags := []string{"artifacts"}
	add(a, huma.Operation{
		OperationID: "list-artifacts", Method: http.MethodGet, Path: buildPath + "/artifacts", Tags: tags,
		Summary: "The files that a build's jobs left, a set for each job that left any",
	}, a.listArtifacts)
	add(a, huma.Operation{
		OperationID: "read-artifact", Method: http.MethodGet, Path: buildPath + "/artifacts/file", Tags: tags,
		Summary: "One file", Responses: streamed("application/octet-stream"),
	}, a.readArtifact)
	add(a, huma.Operation{
		OperationID: "read-archive", Method: http.MethodGet, Path: buildPath + "/artifacts/archive", Tags: tags,
		Summary: "An archive of one job's files, or of all", Responses: streamed("application/zip", "application/zstd"),
	}, a.readArchive)
}

// jobSet is the set of files of one job.
type jobSet struct{ job, id string }

// sets finds the sets of a build's jobs, or of one job. Each job's newest attempt counts.
func (a *api) sets(build, job string) ([]jobSet, error) {
	jobs, err := a.Scheduler.Jobs(build)
	if err != nil {
		return nil, err
	}
	if job != "" {
		j, err := findJob(build, jobs, job)
		if err != nil {
			return nil, err
		}
		jobs = []scheduler.Job{*j}
	}
	var out []jobSet
	for i := range jobs {
		if at := newest(&jobs[i]); at != nil && at.Set != "" {
			out = append(out, jobSet{jobs[i].ID, at.Set})
		}
	}
	return out, nil
}

// someSets is sets where having none is an error.
func (a *api) someSets(build, job string) ([]jobSet, error) {
	sets, err := a.sets(build, job)
	if err == nil && len(sets) == 0 {
		who := "build " + build
		if job != "" {
			who = "job " + job + " of " + build
		}
		err = problem(http.StatusNotFound, who+" has no artifacts", "they are there when its UPLOAD_ARTIFACTS phase has ended; a buildspec names them under artifacts.files")
	}
	return sets, err
}

// listArtifacts pages through the sets; the cursor is the number of sets before the page.
func (a *api) listArtifacts(_ context.Context, in *setsIn) (*jsonOut[client.Page[client.ArtifactSet]], error) {
	if _, err := a.Scheduler.Build(in.id()); err != nil {
		return nil, err
	}
	sets, err := a.sets(in.id(), "")
	if err != nil {
		return nil, err
	}
	begin := 0
	if in.Cursor != "" {
		if begin, err = strconv.Atoi(in.Cursor); err != nil || begin < 0 || begin > len(sets) {
			return nil, problem(http.StatusBadRequest, "the cursor is none that a page before gave", "pass next of the page before")
		}
	}
	page := client.Page[client.ArtifactSet]{Items: []client.ArtifactSet{}}
	end := min(begin+in.Limit, len(sets))
	for _, s := range sets[begin:end] {
		set, err := a.Artifacts.Set(s.id)
		switch {
		case errors.Is(err, fs.ErrNotExist): // retention removed it
		case err != nil:
			return nil, err
		default:
			page.Items = append(page.Items, showSet(s.job, set))
		}
	}
	if end < len(sets) {
		page.Next = strconv.Itoa(end)
	}
	return answer(page)
}

func showSet(job string, set artifacts.Set) client.ArtifactSet {
	out := client.ArtifactSet{Job: job, Name: set.Name, Bytes: set.Bytes, Files: make([]client.ArtifactFile, len(set.Files))}
	for i, f := range set.Files {
		out.Files[i] = client.ArtifactFile{Path: f.Path, Size: f.Size, Mode: uint32(f.Mode), SHA256: f.SHA256, Link: f.Link}
	}
	return out
}

func (a *api) readArtifact(ctx context.Context, in *fileIn) (*huma.StreamResponse, error) {
	sets, err := a.someSets(in.id(), in.Job)
	if err != nil {
		return nil, err
	}
	r, file, err := a.Artifacts.OpenFile(ctx, sets[0].id, in.Path)
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return nil, problem(http.StatusConflict, fmt.Sprintf("%q is no regular file", in.Path), "an archive has folders and links as they are")
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem(http.StatusNotFound, fmt.Sprintf("job %s of %s left no file %q, or it is no longer kept", sets[0].job, in.id(), in.Path),
			"the list of artifacts has the paths")
	case err != nil:
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer r.Close()
		// Always a download, never a page: what a job left may be HTML with scripts in it.
		hctx.SetHeader("Content-Type", "application/octet-stream")
		hctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(in.Path)}))
		hctx.SetHeader("Content-Length", strconv.FormatInt(file.Size, 10))
		if sum, err := hex.DecodeString(file.SHA256); err == nil && len(sum) > 0 {
			hctx.SetHeader("ETag", `"sha256-`+file.SHA256+`"`)
		}
		out := newStream(hctx)
		err := out.start(http.StatusOK)
		if err == nil {
			_, err = copyBlocks(out, r)
		}
		if err != nil {
			a.Logger.Debug("sending an artifact", "build", in.id(), "path", in.Path, "error", err)
			breakOff()
		}
	}}, nil
}

func (a *api) readArchive(ctx context.Context, in *archiveIn) (*huma.StreamResponse, error) {
	found, err := a.someSets(in.id(), in.Job)
	if err != nil {
		return nil, err
	}
	named := make([]artifacts.NamedSet, 0, len(found))
	for _, s := range found {
		if _, err := a.Artifacts.Set(s.id); errors.Is(err, fs.ErrNotExist) {
			continue // retention removed this one; the others are still worth having
		}
		prefix := s.job
		if in.Job != "" {
			prefix = ""
		}
		named = append(named, artifacts.NamedSet{Prefix: prefix, ID: s.id})
	}
	if len(named) == 0 {
		return nil, problem(http.StatusGone, "these artifacts are no longer kept", "retention in runner.yml says how long artifacts are kept")
	}
	write, kind := a.Artifacts.WriteZip, "application/zip"
	if in.Format == "tar.zst" {
		write, kind = a.Artifacts.WriteTarZst, "application/zstd"
	}
	name := fmt.Sprintf("%s-%d.%s", in.Project, in.Number, in.Format)
	if in.Job != "" {
		name = fmt.Sprintf("%s-%d-%s.%s", in.Project, in.Number, in.Job, in.Format)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", kind)
		hctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		out := newStream(hctx)
		err := out.start(http.StatusOK)
		if err == nil {
			buffered := bufio.NewWriterSize(out, streamBlock)
			err = errors.Join(write(ctx, named, buffered), buffered.Flush())
		}
		if err != nil {
			a.Logger.Debug("sending an archive", "build", in.id(), "error", err)
			breakOff()
		}
	}}, nil
}
