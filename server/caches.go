package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
)

type cacheIn struct {
	ID string `path:"id" maxLength:"200"`
}

func (a *api) routeCaches() {
	tags := []string{"caches"}
	add(a, huma.Operation{
		OperationID: "list-caches", Method: http.MethodGet, Path: "/api/v1/caches", Tags: tags,
		Summary: "List the caches that jobs left, by their ids, which say nothing",
	}, a.listCaches)
	add(a, huma.Operation{
		OperationID: "remove-cache", Method: http.MethodDelete, Path: "/api/v1/caches/{id}", Tags: tags,
		Summary:       "Remove a cache. A job that is being given it still gets it whole",
		DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *cacheIn) (*struct{}, error) {
		err := a.Artifacts.RemoveCache(ctx, in.ID)
		if err == nil {
			a.Logger.Info("cache removed", "cache", in.ID, "by", callerOf(ctx))
		}
		return nil, err
	})
	a.routeProjectCaches()
}

func (a *api) listCaches(_ context.Context, in *PageInput) (*jsonOut[client.Page[client.Cache]], error) {
	rows, next, err := a.Artifacts.Caches(in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	page := client.Page[client.Cache]{Items: make([]client.Cache, len(rows)), Next: next}
	for i, c := range rows {
		page.Items[i] = showCache(c)
	}
	return answer(page)
}

func showCache(c artifacts.CacheInfo) client.Cache {
	return client.Cache{
		ID: c.ID, Scope: c.Scope, Key: strings.ToValidUTF8(c.Key, "�"), Paths: c.Paths, Bytes: c.Bytes,
		SHA256: c.SHA256, Created: c.Created, Used: c.Used, Hits: c.Hits,
		Layers: c.Layers, Earned: showEarnings(c),
	}
}

func showEarnings(c artifacts.CacheInfo) client.Earnings {
	saved := c.Saved()
	return client.Earnings{
		Hits: c.Earned.Hits, Misses: c.Earned.Misses, Off: c.Earned.Off,
		RestoreSeconds: c.Earned.Restore.Seconds(), SaveSeconds: c.Earned.Save.Seconds(),
		SavedSeconds: saved, SecondsPerGiB: saved / (float64(max(c.Bytes, 1)) / (1 << 30)),
	}
}
