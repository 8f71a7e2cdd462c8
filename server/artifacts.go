package server

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type setsIn struct {
	BuildInput
	PageInput
	Brief bool `query:"brief" doc:"without the files of the sets: how many there are, and their bytes"`
}

// ChoiceInput narrows which sets are meant.
type ChoiceInput struct {
	Job      string `query:"job" maxLength:"200" doc:"only of this job"`
	Artifact string `query:"artifact" maxLength:"128" doc:"only this secondary artifact; - is the one that is none"`
	Reports  bool   `query:"reports" doc:"the report files, and nothing else"`
}

type fileIn struct {
	BuildInput
	ChoiceInput
	Path string `query:"path" required:"true" maxLength:"8192" doc:"as the list has it"`
}

type archiveIn struct {
	BuildInput
	ChoiceInput
	Format string `query:"format" enum:"zip,tar.zst" default:"zip" doc:"of the archive"`
}

func (a *api) routeArtifacts() {
	tags := []string{"artifacts"}
	list := func(id, path, summary string, choice ChoiceInput) {
		add(a, huma.Operation{
			OperationID: id, Method: http.MethodGet, Path: buildPath + path, Tags: tags, Summary: summary,
		}, func(_ context.Context, in *setsIn) (*jsonOut[client.Page[client.ArtifactSet]], error) {
			return a.listSets(in, choice)
		})
	}
	list("list-artifacts", "/artifacts", "The files that a build's jobs left, a set for each artifact", ChoiceInput{})
	list("list-reports", "/reports", "The report files that a build's jobs left, a set for each job", ChoiceInput{Reports: true})
	add(a, huma.Operation{
		OperationID: "read-artifact", Method: http.MethodGet, Path: buildPath + "/artifacts/file", Tags: tags,
		Summary: "One file: the first of that path", Responses: streamed("application/octet-stream"),
		Errors: []int{http.StatusConflict, http.StatusGone},
	}, a.readArtifact)
	add(a, huma.Operation{
		OperationID: "read-archive", Method: http.MethodGet, Path: buildPath + "/artifacts/archive", Tags: tags,
		Summary:     "An archive of what is chosen",
		Description: "The one set of one job lies in it as it is; otherwise each lies below a folder named by its job, and its artifact.",
		Responses:   streamed("application/zip", "application/zstd"),
		Errors:      []int{http.StatusConflict, http.StatusGone},
	}, a.readArchive)
}

// jobSet is a set of files that one job left.
type jobSet struct {
	job, artifact string // the artifact's id is empty unless it is a secondary one
	reports       bool
	id            string
}

// folder is where a set lies in an archive of several.
func (s jobSet) folder() string {
	if s.artifact == "" {
		return s.job
	}
	return s.job + "_" + s.artifact
}

// sets finds the sets of a build's jobs that are chosen. Each job's newest attempt counts.
func (a *api) sets(build string, choice ChoiceInput) ([]jobSet, error) {
	jobs, err := a.Scheduler.Jobs(build)
	if err != nil {
		return nil, err
	}
	if choice.Job != "" {
		j, err := findJob(build, jobs, choice.Job)
		if err != nil {
			return nil, err
		}
		jobs = []scheduler.Job{*j}
	}
	var out []jobSet
	for i := range jobs {
		if at := newest(&jobs[i]); at != nil {
			out = append(out, setsOf(jobs[i].ID, at, choice)...)
		}
	}
	return out, nil
}

func setsOf(job string, at *scheduler.Attempt, choice ChoiceInput) (out []jobSet) {
	if choice.Reports {
		if at.Reports != nil && at.Reports.Set != "" {
			out = append(out, jobSet{job: job, reports: true, id: at.Reports.Set})
		}
		return out
	}
	if at.Set != "" && (choice.Artifact == "" || choice.Artifact == client.PrimaryArtifact) {
		out = append(out, jobSet{job: job, id: at.Set})
	}
	for _, id := range slices.Sorted(maps.Keys(at.Secondary)) {
		if choice.Artifact == "" || choice.Artifact == id {
			out = append(out, jobSet{job: job, artifact: id, id: at.Secondary[id]})
		}
	}
	return out
}

// someSets is sets where having none is an error.
func (a *api) someSets(build string, choice ChoiceInput) ([]jobSet, error) {
	sets, err := a.sets(build, choice)
	if err == nil && len(sets) == 0 {
		who, what := "build "+build, "artifacts"
		if choice.Job != "" {
			who = "job " + choice.Job + " of " + build
		}
		switch {
		case choice.Reports:
			what = "reports"
		case choice.Artifact != "" && choice.Artifact != client.PrimaryArtifact:
			what = "secondary artifact " + clip(choice.Artifact, 128)
		}
		err = problem(http.StatusNotFound, who+" has no "+what, "they are there when its UPLOAD_ARTIFACTS phase has ended; a buildspec names them under artifacts and reports")
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

// listSets pages through the files of the sets. A set that goes on over several pages is on each of them, with other
// files.
func (a *api) listSets(in *setsIn, choice ChoiceInput) (*jsonOut[client.Page[client.ArtifactSet]], error) {
	sets, err := a.sets(in.id(), choice)
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
		if in.Brief {
			files = nil
		}
		more := len(files) > room
		if more {
			files = files[:room]
		}
		page.Items = append(page.Items, showSet(sets[at.set], set, files))
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

func showSet(of jobSet, set artifacts.Set, files []artifacts.File) client.ArtifactSet {
	out := client.ArtifactSet{
		Job: of.job, Artifact: of.artifact, Reports: of.reports, Name: set.Name, Bytes: set.Bytes, Count: len(set.Files),
		Files: make([]client.ArtifactFile, len(files)),
	}
	for i, f := range files {
		out.Files[i] = client.ArtifactFile{Path: f.Path, Size: f.Size, Mode: uint32(f.Mode), SHA256: f.SHA256, Link: f.Link}
	}
	return out
}

func (a *api) readArtifact(ctx context.Context, in *fileIn) (*huma.StreamResponse, error) {
	r, file, err := a.openFile(ctx, in)
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return nil, problem(http.StatusConflict, fmt.Sprintf("%q is no regular file", in.Path), "an archive has folders and links as they are")
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem(http.StatusNotFound, fmt.Sprintf("%s left no file %q there, or it is no longer kept", in.id(), in.Path),
			"the list of artifacts has the paths")
	case err != nil:
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer r.Close()
		// Always a download, never a page: what a job left may be HTML with scripts in it.
		hctx.SetHeader("Content-Type", "application/octet-stream")
		hctx.SetHeader("Content-Security-Policy", sandboxPolicy)
		hctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(in.Path)}))
		hctx.SetHeader("Content-Length", strconv.FormatInt(file.Size, 10))
		if sum, err := hex.DecodeString(file.SHA256); err == nil && len(sum) > 0 {
			tag := `"sha256-` + file.SHA256 + `"`
			hctx.SetHeader("ETag", tag)
			if matches([]string{hctx.Header("If-None-Match")}, tag) {
				_, w := humago.Unwrap(hctx)
				w.Header().Del("Content-Length")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		out := newStream(hctx)
		err := out.start(http.StatusOK)
		if err == nil {
			_, err = copyBlocks(out, r)
		}
		if err != nil && !errors.Is(err, errHeadOnly) {
			a.Logger.Debug("sending an artifact", "build", in.id(), "path", in.Path, "error", err)
			breakOff()
		}
	}}, nil
}

// openFile opens the first file of that path among the chosen sets.
func (a *api) openFile(ctx context.Context, in *fileIn) (r io.ReadCloser, file artifacts.File, err error) {
	sets, err := a.someSets(in.id(), in.ChoiceInput)
	if err != nil {
		return nil, file, err
	}
	for _, set := range sets {
		if r, file, err = a.Artifacts.OpenFile(ctx, set.id, in.Path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return r, file, err
}

func (a *api) readArchive(ctx context.Context, in *archiveIn) (*huma.StreamResponse, error) {
	found, err := a.someSets(in.id(), in.ChoiceInput)
	if err != nil {
		return nil, err
	}
	named := make([]artifacts.NamedSet, 0, len(found))
	own := "" // the name that its buildspec gives the only set
	for _, s := range found {
		set, err := a.Artifacts.Set(s.id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // retention removed this one; the others are still worth having
		}
		if err != nil {
			return nil, err
		}
		prefix := s.folder()
		if in.Job != "" && len(found) == 1 {
			prefix, own = "", set.Name
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
	name := archiveName(in, own)
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", kind)
		hctx.SetHeader("Content-Security-Policy", sandboxPolicy)
		hctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		out := newStream(hctx)
		err := out.start(http.StatusOK)
		if err == nil {
			buffered := bufio.NewWriterSize(out, streamBlock)
			err = errors.Join(write(ctx, named, buffered), buffered.Flush())
		}
		if err != nil && !errors.Is(err, errHeadOnly) {
			a.Logger.Debug("sending an archive", "build", in.id(), "error", err)
			breakOff()
		}
	}}, nil
}

// archiveName is what a browser calls an archive: what the buildspec does, or else the build, job and artifact.
func archiveName(in *archiveIn, own string) string {
	if base := path.Base(strings.TrimSuffix(own, ".zip")); own != "" && base != "/" && base != "." && base != ".." {
		return base + "." + in.Format
	}
	parts := []string{in.Project, strconv.Itoa(in.Number)}
	for _, part := range []string{in.Job, strings.Trim(in.Artifact, client.PrimaryArtifact)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if in.Reports {
		parts = append(parts, "reports")
	}
	return strings.Join(parts, "-") + "." + in.Format
}
