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
	"strings"

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

// filesPerPage bounds a page of artifacts, whose sets may have hundreds of thousands of files.
const filesPerPage = 10_000

// place is where a page of artifacts begins: so many whole sets, and so many files of the next one, lie before it.
type place struct{ set, file int }

func (p place) String() string { return fmt.Sprintf("%d.%d", p.set, p.file) }

func parsePlace(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	set, file, _ := strings.Cut(cursor, ".")
	p.set, err = strconv.Atoi(set)
	if err == nil {
		p.file, err = strconv.Atoi(file)
	}
	if err != nil || p.set < 0 || p.file < 0 {
		return p, problem(http.StatusBadRequest, "the cursor is none that a page before gave", "pass next of the page before")
	}
	return p, nil
}

// listArtifacts pages through the files of the sets. A set that goes on over several pages is on each of them, with
// other files.
func (a *api) listArtifacts(_ context.Context, in *setsIn) (*jsonOut[client.Page[client.ArtifactSet]], error) {
	if _, err := a.Scheduler.Build(in.id()); err != nil {
		return nil, err
	}
	sets, err := a.sets(in.id(), "")
	if err != nil {
		return nil, err
	}
	at, err := parsePlace(in.Cursor)
	if err != nil {
		return nil, err
	}
	page := client.Page[client.ArtifactSet]{Items: []client.ArtifactSet{}}
	for room := filesPerPage; at.set < len(sets) && room > 0 && len(page.Items) < in.Limit; {
		set, err := a.Artifacts.Set(sets[at.set].id)
		if errors.Is(err, fs.ErrNotExist) { // retention removed it
			at = place{at.set + 1, 0}
			continue
		}
		if err != nil {
			return nil, err
		}
		files := set.Files[min(at.file, len(set.Files)):]
		more := len(files) > room
		if more {
			files = files[:room]
		}
		page.Items = append(page.Items, showSet(sets[at.set].job, set, files))
		room -= len(files)
		if more {
			at.file += len(files)
		} else {
			at = place{at.set + 1, 0}
		}
	}
	if at.set < len(sets) {
		page.Next = at.String()
	}
	return answer(page)
}

func showSet(job string, set artifacts.Set, files []artifacts.File) client.ArtifactSet {
	out := client.ArtifactSet{Job: job, Name: set.Name, Bytes: set.Bytes, Files: make([]client.ArtifactFile, len(files))}
	for i, f := range files {
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
