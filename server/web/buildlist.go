package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeBuildLists() {
	s.page("GET /builds", s.allBuilds)
}

// buildFilter is what a list of builds is narrowed by, as its form has it.
type buildFilter struct {
	Path                                         string // of the page, to which the form goes
	Text, Ref, Trigger, Status, Author, From, To string
	Cursor                                       string
	Refs                                         []string // that the field of the branch proposes
}

// fields are the names of the form's fields.
func (f *buildFilter) fields() map[string]*string {
	return map[string]*string{
		"q": &f.Text, "ref": &f.Ref, "trigger": &f.Trigger, "status": &f.Status, "author": &f.Author, "from": &f.From, "to": &f.To, "cursor": &f.Cursor,
	}
}

// readFilter takes the form's fields from an address.
func readFilter(v *visit, path string) buildFilter {
	f, q := buildFilter{Path: path}, v.URL.Query()
	for name, into := range f.fields() {
		*into = strings.TrimSpace(q.Get(name))
	}
	return f
}

// Any tells whether the list is narrowed.
func (f buildFilter) Any() bool {
	return f.Text+f.Ref+f.Trigger+f.Status+f.Author+f.From+f.To != ""
}

// More tells whether one of those is chosen that the form hides at first.
func (f buildFilter) More() bool { return f.Author+f.From+f.To != "" }

// at is the path of the list's page behind a cursor.
func (f buildFilter) at(cursor string) string {
	q := url.Values{}
	for name, value := range f.fields() {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	q.Del("cursor")
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return f.Path
	}
	return f.Path + "?" + q.Encode()
}

// Only is the path of the list with one field chosen and all others left out.
func (f buildFilter) Only(field, value string) string {
	return f.Path + "?" + url.Values{field: {value}}.Encode()
}

// Triggers and Statuses are what can be chosen.
func (f buildFilter) Triggers() []string {
	return []string{"push", "pull_request", "tag", "release", "comment", "submit", "manual", "retry", "schedule", "registry"}
}

// Statuses are those of builds.
func (f buildFilter) Statuses() []string {
	return []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"}
}

// options is what the API is asked for.
func (f buildFilter) options(project string) (o client.ListOptions, err error) {
	o = client.ListOptions{
		Project: project, Text: f.Text, Ref: f.Ref, Kind: f.Trigger, Status: f.Status, Author: f.Author, Cursor: f.Cursor, Limit: 30,
	}
	if o.Since, err = readDay(f.From); err != nil {
		return o, err
	}
	if o.Until, err = readDay(f.To); err == nil && !o.Until.IsZero() {
		o.Until = o.Until.AddDate(0, 0, 1) // the day is within
	}
	return o, err
}

// readDay reads what a field of a day has; the zero time where it is empty.
func readDay(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, &client.Error{Status: http.StatusBadRequest, Detail: "this is no day: " + text, Hint: "write it as 2026-03-31"}
	}
	return day, nil
}

// buildList is one page of a list of builds.
type buildList struct {
	Filter   buildFilter
	Builds   []client.Build
	Projects bool   // they are of several
	Older    string // path of the next page
	Newest   string // path of the first page, from another one
}

// listBuilds asks for a page of builds.
func (s *Site) listBuilds(v *visit, f buildFilter, project string) (list buildList, err error) {
	o, err := f.options(project)
	if err != nil {
		return list, err
	}
	list = buildList{Filter: f, Projects: project == ""}
	page, err := s.Client.Builds(v.Context(), o)
	if err != nil {
		return list, err
	}
	list.Builds = page.Items
	if page.Next != "" {
		list.Older = f.at(page.Next)
	}
	if f.Cursor != "" {
		list.Newest = f.at("")
	}
	return list, nil
}

func (s *Site) allBuilds(v *visit) (*view, error) {
	list, err := s.listBuilds(v, readFilter(v, "/builds"), "")
	if err != nil {
		return nil, err
	}
	if !v.known() && len(list.Builds) == 0 && !list.Filter.Any() && list.Newest == "" {
		return nil, &client.Error{Status: http.StatusUnauthorized} // nothing is public
	}
	return &view{Template: "builds", Title: "Builds", Crumbs: []crumb{{Text: "Builds"}}, Events: list.events(), Data: list}, nil
}

// events are those of the newest build that runs: after its end the page shows the next one's.
func (l buildList) events() string {
	for _, b := range l.Builds {
		if class(b.Status) == "run" {
			return eventsPath(b.Project, b.Number)
		}
	}
	return ""
}

// kindName is a kind of trigger as people say it.
func kindName(kind string) string {
	switch kind {
	case "manual":
		return "by hand"
	case "registry":
		return "image push"
	}
	return strings.ReplaceAll(kind, "_", " ")
}

// branchNames are the branches as the form proposes them.
func branchNames(branches []client.Branch) (names []string) {
	for _, b := range branches {
		names = append(names, strings.TrimPrefix(b.Ref, "refs/heads/"))
	}
	slices.Sort(names)
	return names
}
