package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeProject() {
	s.page("GET /projects/{project}", s.projectPage)
	s.routeBuildLists()
	s.routeStart()
	s.routeTests()
	s.routeProjectCaches()
	s.page("GET /projects/{project}/schedules", s.schedulesPage)
	s.page("GET /projects/{project}/settings", s.settingsPage)
}

// projectHead is what every page of a project shows above what it is about.
type projectHead struct {
	Name     string
	Tab      string
	Settings *client.Project // nil to whom they are not told
	MayStart bool
}

// head begins a page of a project. To whom the project's settings are not told, builds of it may be public all the same.
func (s *Site) head(v *visit, tab string) (h projectHead, err error) {
	h = projectHead{Name: v.PathValue("project"), Tab: tab}
	p, err := s.Client.Project(v.Context(), h.Name)
	switch {
	case err == nil:
		h.Settings, h.MayStart = &p, may(v.who, "admin", h.Name)
	case untold(err):
		err = nil
	}
	return h, err
}

// untold tells whether the API keeps something to itself, so that the page does without.
func untold(err error) bool {
	return isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound)
}

// crumbs are those of a page of a project.
func (h projectHead) crumbs(page string) []crumb {
	if page == "" {
		return []crumb{{Text: h.Name}}
	}
	return []crumb{{h.Name, projectPath(h.Name)}, {Text: page}}
}

// projectPage is what the page of a project shows.
type projectPage struct {
	projectHead
	Verdict     projectVerdict
	List        buildList
	Stats       client.Stats
	Charts      []chart
	Branches    []client.Branch
	Slow, Flaky []client.TestTrend
	HasTests    bool
	Webhook     *client.Webhook
}

// Share is how many of a hundred builds passed.
func (p projectPage) Share() int {
	if p.Stats.All.Ended() == 0 {
		return 0
	}
	return 100 * p.Stats.All.Succeeded / p.Stats.All.Ended()
}

// Overview tells whether all of the project is shown, and not a part of its builds that somebody looks for.
func (p projectPage) Overview() bool { return !p.List.Filter.Any() && p.List.Newest == "" }

const (
	shownBranches = 8
	shownTests    = 5
)

func (s *Site) projectPage(v *visit) (*view, error) {
	h, err := s.head(v, "builds")
	if err != nil {
		return nil, err
	}
	p := projectPage{projectHead: h}
	branches, err := s.Client.Branches(v.Context(), h.Name, "", 50)
	if err != nil {
		return nil, err
	}
	p.Branches = branches.Items
	filter := readFilter(v, projectPath(h.Name))
	filter.Refs = branchNames(p.Branches)
	if p.List, err = s.listBuilds(v, filter, h.Name); err != nil {
		return nil, err
	}
	if p.Verdict, err = s.projectVerdict(v, h, p.Branches); err != nil {
		return nil, err
	}
	if p.Overview() {
		if err := s.overview(v, &p); err != nil {
			return nil, err
		}
	}
	p.Branches = p.Branches[:min(len(p.Branches), shownBranches)]
	return &view{Template: "project", Title: h.Name + " " + p.Verdict.Word(), Icon: p.Verdict.icon(), Crumbs: h.crumbs(""), Events: p.List.events(), Data: p}, nil
}

// overview adds what is shown beside the list of all builds.
func (s *Site) overview(v *visit, p *projectPage) (err error) {
	if p.Stats, err = s.Client.Stats(v.Context(), p.Name, client.StatsOptions{}); err != nil {
		return err
	}
	if p.Stats.All.Ended() > 0 {
		p.Charts = []chart{outcomeChart(p.Stats), durationChart(p.Stats)}
	}
	if p.Settings == nil {
		return nil
	}
	for sort, into := range map[string]*[]client.TestTrend{"slowest": &p.Slow, "flaky": &p.Flaky} {
		page, err := s.Client.TestTrends(v.Context(), p.Name, client.TrendOptions{Sort: sort, Limit: shownTests, Recent: stripBars})
		if err != nil && !untold(err) {
			return err
		}
		*into = page.Items
	}
	hook, err := s.Client.Webhook(v.Context(), p.Name)
	if err == nil {
		p.Webhook = &hook
	}
	if untold(err) || isStatus(err, http.StatusServiceUnavailable) {
		err = nil
	}
	return err
}

// projectVerdict is how the default branch of a project does.
type projectVerdict struct {
	Branch  string
	Newest  *client.Build // that has come to a verdict
	Running *client.Build // a newer one
	First   *client.Build // of the row of failures that Newest ends
	Streak  int           // how many are in that row
	Passed  *client.Build // before it; nil where it is longer than what was looked at
}

// verdictBuilds is how many builds are looked at to tell since when a branch is broken.
const verdictBuilds = 50

func (s *Site) projectVerdict(v *visit, h projectHead, branches []client.Branch) (out projectVerdict, err error) {
	if i := slices.IndexFunc(branches, func(b client.Branch) bool { return b.Default }); i >= 0 {
		out.Branch = branches[i].Ref
	} else if h.Settings != nil && h.Settings.Branch != "" {
		out.Branch = "refs/heads/" + h.Settings.Branch
	}
	if out.Branch == "" {
		return out, nil
	}
	page, err := s.Client.Builds(v.Context(), client.ListOptions{Project: h.Name, Ref: out.Branch, Limit: verdictBuilds})
	if err == nil {
		out.judge(page.Items)
	}
	return out, err
}

// judge looks at the builds of the branch, which come newest first. Those that were stopped say nothing.
func (o *projectVerdict) judge(builds []client.Build) {
	for i := range builds {
		b := &builds[i]
		switch class(b.Status) {
		case "run":
			if o.Newest == nil && o.Running == nil {
				o.Running = b
			}
		case "ok":
			if o.Newest == nil {
				o.Newest = b
			} else {
				o.Passed = b
			}
			return
		case "no":
			if o.Newest == nil {
				o.Newest = b
			}
			o.First = b
			o.Streak++
		}
	}
}

// Why is in a few words why the newest build did not pass.
func (o projectVerdict) Why() string {
	if t := o.Newest.Tests; t != nil && t.Failed+t.Error > 0 {
		return plural(t.Failed+t.Error, "test") + " of " + strconv.Itoa(t.Total)
	}
	return o.Newest.Message
}

// Bad tells whether the branch is broken.
func (o projectVerdict) Bad() bool { return o.First != nil }

// Word says it for the title of the window.
func (o projectVerdict) Word() string {
	switch {
	case o.Newest != nil:
		return word(o.Newest.Status)
	case o.Running != nil:
		return word(o.Running.Status)
	}
	return ""
}

// secondsSince is how long something lasts by now.
func secondsSince(at time.Time) float64 { return time.Since(at).Seconds() }

func (o projectVerdict) icon() string {
	if o.Newest == nil {
		return ""
	}
	return icon(o.Newest.Status)
}
