package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type ownCachesIn struct {
	ProjectInput
	PageInput
}

type ownCacheIn struct {
	ProjectInput
	ID string `path:"id" maxLength:"200"`
}

func (a *api) routeProjectCaches() {
	tags := []string{"caches"}
	const path = "/api/v1/projects/{name}/caches"
	add(a, huma.Operation{
		OperationID: "list-project-caches", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List the caches that a project's jobs left, by their ids, which say nothing",
	}, a.listProjectCaches)
	add(a, huma.Operation{
		OperationID: "remove-project-cache", Method: http.MethodDelete, Path: path + "/{id}", Tags: tags,
		Summary:       "Remove a cache of a project. A job that is being given it still gets it whole",
		DefaultStatus: http.StatusNoContent,
	}, a.removeProjectCache)
}

// cacheOf tells whether a cache is of a project: its scope begins with the name, in which there is no slash.
func cacheOf(c *artifacts.CacheInfo, project string) bool {
	return strings.HasPrefix(c.Scope, project+"/")
}

func (a *api) listProjectCaches(_ context.Context, in *ownCachesIn) (*jsonOut[client.Page[client.Cache]], error) {
	if err := a.knownProject(in.Name); err != nil {
		return nil, err
	}
	rows, next, err := visiblePage(in.Cursor, func(cursor string) ([]artifacts.CacheInfo, string, error) {
		return a.Artifacts.Caches(cursor, in.Limit)
	}, func(c *artifacts.CacheInfo) bool { return cacheOf(c, in.Name) })
	if err != nil {
		return nil, err
	}
	page := client.Page[client.Cache]{Items: make([]client.Cache, len(rows)), Next: next}
	for i, c := range rows {
		page.Items[i] = showCache(c)
	}
	return answer(page)
}

// removeProjectCache answers for a cache of another project as for one that is not there.
func (a *api) removeProjectCache(ctx context.Context, in *ownCacheIn) (*struct{}, error) {
	c, err := a.Artifacts.Cache(in.ID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !cacheOf(&c, in.Name) {
		return nil, fmt.Errorf("cache %q of project %s: %w", clip(in.ID, 80), in.Name, scheduler.ErrNotFound)
	}
	if err == nil {
		err = a.Artifacts.RemoveCache(ctx, in.ID)
	}
	if err == nil {
		a.Logger.Info("cache removed", "cache", in.ID, "project", in.Name, "by", callerOf(ctx))
	}
	return nil, err
}
