package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeBuild() {
	s.page("GET /projects/{project}/builds/{number}", s.build)
	s.page("GET /projects/{project}/builds/{number}/times", s.buildTimesPage)
	s.route("GET /projects/{project}/builds/{number}/tail", s.tail)
	s.routeBuildActions()
	s.routeArtifacts()
}

// buildID is the id of the build that a path names.
func buildID(v *visit) (string, error) {
	n, err := strconv.Atoi(v.PathValue("number"))
	if err != nil || n < 1 {
		return "", &client.Error{Status: http.StatusNotFound, Detail: "builds are numbered from 1, and this is no number: " + v.PathValue("number"), Hint: "the page of the project lists its builds"}
	}
	return v.PathValue("project") + "#" + strconv.Itoa(n), nil
}

// theBuild is the build that a page is about.
func (s *Site) theBuild(v *visit) (client.Build, error) {
	id, err := buildID(v)
	if err != nil {
		return client.Build{}, err
	}
	return s.Client.Build(v.Context(), id)
}

// buildPage is all that the page of a build shows.
type buildPage struct {
	client.Build
	Verdict    verdict
	Since      *client.Failing // of one that fails
	Start      *client.Build   // with which it began to fail, with its title and author
	Mended     *client.Build   // the one before, where that failed and this one passed
	Flaky      string          // whether the failed tests are
	Broken     broken
	Trigger    *client.Trigger // nil to whom it is not told
	CommitPage string          // where the forge shows it
	Speed      float64
	Images     []imageFact
	Proofs     []client.Proof
	Left       float64 // how many seconds a build that runs will probably take yet; 0: nobody knows
	Graph      *graph
	Time       timeline
	Decided    *decided // of one that ended
	Tail       *logTail
	Tabs       []*client.Job // jobs whose log can be chosen
	Sets       []artifactRow
	May        buildActions
}

func (s *Site) build(v *visit) (*view, error) {
	b, err := s.theBuild(v)
	if err != nil {
		return nil, err
	}
	page, err := s.lookAt(v, b)
	if err != nil {
		return nil, err
	}
	shown := &view{
		Template: "build", Title: page.Verdict.Word + ": " + b.ID, Icon: icon(page.Verdict.Class), Scripts: []string{"build.js"}, Data: page,
		Crumbs: []crumb{{b.Project, projectPath(b.Project)}, {Text: "#" + strconv.Itoa(b.Number)}},
	}
	if b.Status == "IN_PROGRESS" || b.Tests != nil && b.Tests.Pending {
		shown.Events = eventsPath(b.Project, b.Number)
	}
	return shown, nil
}

// lookAt collects what the page shows beside the build itself. What the visitor may not see is left out.
func (s *Site) lookAt(v *visit, b client.Build) (*buildPage, error) {
	p := &buildPage{Build: b, Verdict: judge(b), Speed: speedUp(b.Tests), Images: images(b.Jobs), Proofs: proofs(b.Jobs), Graph: graphOf(b.Jobs)}
	var err error
	if p.Broken, err = s.whatBroke(v, b); err != nil {
		return nil, err
	}
	past, err := s.Client.Builds(v.Context(), client.ListOptions{Project: b.Project, Limit: client.PastBuilds})
	if err != nil {
		return nil, err
	}
	var project *client.Project
	if v.known() {
		if got, err := s.Client.Project(v.Context(), b.Project); err == nil {
			project = &got
		}
		if got, err := s.Client.Trigger(v.Context(), b.Trigger); err == nil {
			p.Trigger = &got
		}
	}
	p.CommitPage = commitLink(project, b.Commit)
	if p.Verdict.Class == "no" && b.Status != "FAULT" { // a fault is nobody's commit
		s.blame(v, p, past.Items, project)
	}
	p.Mended = mended(b, past.Items)
	likely := expected(b, past.Items)
	if b.Ended.IsZero() && likely > b.Seconds {
		p.Left = likely - b.Seconds
	}
	p.Time = timelineOf(b, likely, time.Now(), mostBars)
	p.Decided = s.explain(v, b)
	p.chooseTail(s, v)
	if p.Sets, err = s.artifactRows(v, b); err != nil {
		return nil, err
	}
	p.May = actionsFor(v, b, project)
	return p, nil
}

// blame finds since when a build fails, and with whose commit that began.
func (s *Site) blame(v *visit, p *buildPage, past []client.Build, project *client.Project) {
	base := ""
	if project != nil {
		base = cmp.Or(project.Branch, "main")
	}
	began := client.FailingSince(p.Build, past, base)
	p.Since, p.Start = &began, began.First
	flaky, runs := 0, 0
	for _, f := range p.Broken.Failures {
		if f.Counts() && f.Known != nil {
			flaky, runs = max(flaky, f.Known.Flaky), max(runs, f.Known.Runs)
		}
	}
	switch {
	case flaky > 0:
		p.Flaky = "Maybe flaky: " + verb(failedTests(p.Tests), "it", "one of them") + " was in " + strconv.Itoa(flaky) + " of " + plural(runs, "earlier build") + "."
	case runs > 0:
		p.Flaky = "Not flaky in " + plural(runs, "earlier build") + "."
	}
	first := ""
	for _, f := range p.Broken.Failures {
		if f.Counts() && f.Known != nil && (first == "" || first == f.Known.FirstBuild) {
			first = f.Known.FirstBuild
		} else if f.Counts() && f.Known != nil {
			return // they did not begin together
		}
	}
	if first != "" && first != began.First.ID {
		if got, err := s.Client.Build(v.Context(), first); err == nil {
			p.Start = &got
		}
	}
}

// mostTabs is how many jobs can be chosen by a click beside the log; the graph and the timeline have the others.
const mostTabs = 12

// chooseTail reads the end of one job's log: the one that is asked for, else the one that matters most.
func (p *buildPage) chooseTail(s *Site, v *visit) {
	asked := v.URL.Query().Get("job")
	j := jobOf(p.Jobs, asked)
	if asked == "" || j == nil {
		j = telling(p.Jobs)
	}
	if j == nil {
		return
	}
	p.Tail = s.readTail(v, p.Build, j)
	if len(p.Jobs) > 1 {
		p.Tabs = tabsOf(p.Jobs, j)
	}
}

// tabsOf are the jobs that can be chosen beside the log of one: of many, that one and those that failed, which nobody should look for.
func tabsOf(jobs []client.Job, chosen *client.Job) []*client.Job {
	tabs := lanesOf(jobs, map[string]bool{chosen.ID: true})
	if len(tabs) <= mostTabs {
		return tabs
	}
	rank := func(j *client.Job) int {
		switch {
		case j.ID == chosen.ID:
			return 0
		case bad(j):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(tabs, func(a, b *client.Job) int { return cmp.Compare(rank(a), rank(b)) })
	return tabs[:mostTabs]
}

// jobOf is the job of that id, nil where there is none.
func jobOf(jobs []client.Job, id string) *client.Job {
	for i := range jobs {
		if jobs[i].ID == id {
			return &jobs[i]
		}
	}
	return nil
}

// telling is the job whose log tells most: the first that failed, else the first that runs, else the last that ran.
func telling(jobs []client.Job) (last *client.Job) {
	if j := firstFailed(jobs); j != nil && j.Attempt > 0 {
		return j
	}
	for i := range jobs {
		if jobs[i].State == "leased" {
			return &jobs[i]
		}
	}
	for i := range jobs {
		if j := &jobs[i]; j.Attempt > 0 || j.TakenFrom != "" {
			last = j
		}
	}
	return last
}

// icon is that of the window for a shape.
func icon(class string) string {
	return map[string]string{"ok": "good", "no": "bad", "run": "busy", "flk": "busy"}[class]
}

// apiBuildPath is where the API has a build.
func apiBuildPath(b client.Build) string {
	return "/api/v1/builds/" + url.PathEscape(b.Project) + "/" + strconv.Itoa(b.Number)
}

// eventsPath is where the API tells of a build's changes, without what has changed: the page is asked for anew.
func eventsPath(project string, number int) string {
	return apiBuildPath(client.Build{Project: project, Number: number}) + "/events?jobs=false"
}
