package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeProjectCaches() {
	s.page("GET /projects/{project}/caches", s.cachesPage)
	s.action("POST /projects/{project}/caches/{id}/remove", s.removeCache)
}

// cachesPage is what a project's jobs left to later ones.
type cachesPage struct {
	projectHead
	Caches    []client.Cache // those first that saved most
	Bytes     int64
	Hits      int64
	Saved     float64 // seconds
	Known     bool    // something is known of what one saved
	MayRemove bool
}

func (s *Site) cachesPage(v *visit) (*view, error) {
	h, err := s.head(v, "caches")
	if err != nil {
		return nil, err
	}
	p := cachesPage{projectHead: h, MayRemove: may(v.who, "admin", h.Name)}
	if p.Caches, err = s.Client.ProjectCaches(v.Context(), h.Name); err != nil {
		return nil, err
	}
	slices.SortFunc(p.Caches, func(a, b client.Cache) int {
		if a.Earned.SavedSeconds != b.Earned.SavedSeconds {
			return cmp.Compare(b.Earned.SavedSeconds, a.Earned.SavedSeconds)
		}
		return b.Used.Compare(a.Used)
	})
	for _, c := range p.Caches {
		p.Bytes += c.Bytes
		p.Hits += c.Hits
		p.Saved += c.Earned.SavedSeconds
		p.Known = p.Known || weighed(c)
	}
	return &view{Template: "caches", Title: "Caches of " + h.Name, Crumbs: h.crumbs("caches"), Data: p}, nil
}

// weighed tells whether there were jobs with and without a cache, so that it is known what it saves.
func weighed(c client.Cache) bool { return c.Earned.Hits > 0 && c.Earned.Misses > 0 }

func (s *Site) removeCache(v *visit) (string, error) {
	name := v.PathValue("project")
	return projectPath(name) + "/caches", s.Client.RemoveProjectCache(v.Context(), name, v.PathValue("id"))
}

// Cost is what was lost, where saved is below nothing.
func (p cachesPage) Cost() float64 { return -p.Saved }

// Readers says whose jobs are given a cache of a scope.
func (p cachesPage) Readers(scope string) string {
	rest := strings.TrimPrefix(scope, p.Name+"/")
	if ref, ok := strings.CutPrefix(rest, "ref/"); ok {
		return refName(ref)
	}
	if rest == "protected" {
		return "all jobs"
	}
	return rest
}
