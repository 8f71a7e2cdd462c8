package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeLog() {
	s.page("GET /projects/{project}/builds/{number}/log", s.log)
}

// shownLines is how many lines a page without scripts has; with scripts, log.js shows any of them.
const shownLines = 500

// logPage is what the page of a log shows.
type logPage struct {
	Build    client.Build
	Job      client.Job
	Jobs     []logJob
	Attempts []int // all, where there was more than one
	Log      client.LogLines
	Rows     []logRow
	Outline  client.LogOutline
	API      string // path of the log in the API
	Query    string // job and attempt, for that
	Failed   bool   // the job has

	Text         string // what is looked for
	Regexp, Case bool
	Found        *client.LogMatches // without scripts: what was found
	Trouble      string             // why nothing could be looked for

	Earlier, Later int64 // first lines of the pages before and after; 0: there is none
}

// logJob is a job of the build with the path of its log.
type logJob struct {
	client.Job
	Path string
	Here bool
}

// logRow is a line.
type logRow struct {
	Number  int64
	Text    template.HTML
	Cut     int64              // bytes of the whole line, where a part is shown
	Section *client.LogSection // that begins here
}

func (s *Site) log(v *visit) (*view, error) {
	b, err := s.theBuild(v)
	if err != nil {
		return nil, err
	}
	page := &logPage{Build: b}
	place, err := page.place(v.FormValue("job"), v.FormValue("attempt"))
	if err != nil {
		return nil, err
	}
	if page.Outline, err = s.Client.LogOutline(v.Context(), b.ID, place); err != nil {
		return nil, err
	}
	from, _ := strconv.ParseInt(v.FormValue("from"), 10, 64) // what is no number is the end
	if from == 0 {
		from = -shownLines
	}
	if page.Log, err = s.Client.LogLines(v.Context(), b.ID, place, client.LineRange{From: from, Count: shownLines}); err != nil {
		return nil, err
	}
	if err := s.searchLog(v, page, place); err != nil {
		return nil, err
	}
	page.arrange()
	title := b.ID + " log"
	if page.Job.Name != "" && len(b.Jobs) > 1 {
		title += " of " + page.Job.Name
	}
	return &view{
		Template: "log", Title: title, Icon: icon(page.Job.Status), Scripts: []string{"log.js"}, Data: page,
		Crumbs: []crumb{{b.Project, projectPath(b.Project)}, {"#" + strconv.Itoa(b.Number), buildPath(b.ID)}, {Text: "Log"}},
	}, nil
}

// place finds the job and the attempt that are asked for.
func (p *logPage) place(job, attempt string) (client.LogPlace, error) {
	n, err := strconv.Atoi(cmp.Or(attempt, "0"))
	if err != nil || n < 0 {
		return client.LogPlace{}, &client.Error{Status: http.StatusNotFound, Detail: "attempts are numbered from 1, and this is no number: " + attempt, Hint: "the page of the build lists them"}
	}
	if job == "" {
		job = p.first()
	}
	for _, j := range p.Build.Jobs {
		if j.ID == job {
			p.Job = j
		}
	}
	for _, j := range p.Build.Jobs {
		if j.Attempt > 0 || j.TakenFrom != "" || j.ID == p.Job.ID {
			p.Jobs = append(p.Jobs, logJob{j, logPath(p.Build.ID, j.ID, 0, 0), j.ID == p.Job.ID})
		}
	}
	for _, a := range p.Job.Attempts {
		p.Attempts = append(p.Attempts, a.Number)
	}
	p.Failed = class(p.Job.Status) == "no"
	return client.LogPlace{Job: job, Attempt: n}, nil
}

// first is the job whose log is shown where none is asked for: one that failed, or the first.
func (p *logPage) first() string {
	if i := slices.IndexFunc(p.Build.Jobs, func(j client.Job) bool { return class(j.Status) == "no" && !j.Ignored }); i >= 0 {
		return p.Build.Jobs[i].ID
	}
	if len(p.Build.Jobs) > 0 {
		return p.Build.Jobs[0].ID
	}
	return ""
}

// searchLog looks for what a visitor without scripts asks for.
func (s *Site) searchLog(v *visit, p *logPage, place client.LogPlace) error {
	p.Text, p.Regexp, p.Case = v.FormValue("q"), v.FormValue("regexp") == "true", v.FormValue("case") == "true"
	if p.Text == "" {
		return nil
	}
	after, _ := strconv.ParseInt(v.FormValue("after"), 10, 64)
	found, err := s.Client.SearchLog(v.Context(), p.Build.ID, place, client.LogSearch{Text: p.Text, Regexp: p.Regexp, Case: p.Case, From: after})
	if isStatus(err, http.StatusUnprocessableEntity) {
		p.Trouble = err.Error()
		return nil
	}
	p.Found = &found
	return err
}

// arrange makes rows of what was read, and the ways to others.
func (p *logPage) arrange() {
	project, number, _ := client.SplitBuildID(p.Build.ID)
	p.API = fmt.Sprintf("/api/v1/builds/%s/%d/log", url.PathEscape(project), number)
	query := url.Values{"attempt": {strconv.Itoa(max(1, p.Log.Attempt))}}
	if p.Log.Job != "" {
		query.Set("job", p.Log.Job)
	}
	p.Query = query.Encode()
	for i, text := range p.Log.Lines {
		row := logRow{Number: p.Log.First + int64(i), Text: logText(text)}
		if at := slices.IndexFunc(p.Log.Cut, func(c client.CutLine) bool { return c.Line == row.Number }); at >= 0 {
			row.Cut = p.Log.Cut[at].Bytes
		}
		if at := slices.IndexFunc(p.Outline.Sections, func(s client.LogSection) bool { return s.First == row.Number }); at >= 0 {
			row.Section = &p.Outline.Sections[at]
		}
		p.Rows = append(p.Rows, row)
	}
	if p.Log.First > 1 {
		p.Earlier = max(1, p.Log.First-shownLines)
	}
	if next := p.Log.First + int64(len(p.Rows)); next <= p.Log.Total {
		p.Later = next
	}
}

// Last is the number of the last line that was sent.
func (p *logPage) Last() int64 { return p.Log.First + int64(len(p.Rows)) - 1 }

// At is the path of this log from a line on.
func (p *logPage) At(line int64) string {
	return logPath(p.Build.ID, p.Log.Job, p.Log.Attempt, line)
}

// OfAttempt is the path of another attempt's log.
func (p *logPage) OfAttempt(n int) string { return logPath(p.Build.ID, p.Job.ID, n, 0) }

// On is the path on which a search goes on.
func (p *logPage) On() string {
	q := url.Values{"q": {p.Text}, "after": {strconv.FormatInt(p.Found.Next, 10)}, "job": {p.Log.Job}}
	if p.Regexp {
		q.Set("regexp", "true")
	}
	if p.Case {
		q.Set("case", "true")
	}
	return buildPath(p.Build.ID) + "/log?" + q.Encode()
}

// logPath is the path of a log's page: of a build's first job where no job is named, of its newest attempt where none is, and
// from a line on, or its end.
func logPath(build, job string, attempt int, line int64) string {
	q := url.Values{}
	if job != "" {
		q.Set("job", job)
	}
	if attempt > 0 {
		q.Set("attempt", strconv.Itoa(attempt))
	}
	end := ""
	if line > 0 {
		q.Set("from", strconv.FormatInt(max(1, line-5), 10))
		end = fmt.Sprintf("#L%d", line)
	}
	path := buildPath(build) + "/log"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path + end
}
