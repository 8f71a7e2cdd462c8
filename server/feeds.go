package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

const (
	allFeedPath     = "/feed.atom"
	projectFeedPath = "/projects/{project}/feed.atom"
)

// feeds are the patterns that a token in the address opens: readers of feeds cannot log in.
var feeds = map[string]bool{"GET " + allFeedPath: true, "GET " + projectFeedPath: true}

const (
	// feedEntries is how many builds a feed has at most: more than come between two looks of a reader.
	feedEntries = 50
	// feedPages bounds the pages of builds that are looked at for them; those that run are passed over.
	feedPages = hiddenPages
)

// FeedInput is what readers of feeds bring.
type FeedInput struct {
	Token  string `query:"token" maxLength:"200" doc:"of the scope feed"`
	Status string `query:"status" enum:"SUCCEEDED,FAILED,FAULT,TIMED_OUT,STOPPED,broken" doc:"only with this status; broken is any but SUCCEEDED and STOPPED"`
}

type projectFeedIn struct {
	FeedInput
	Project string `path:"project" maxLength:"200" example:"api"`
}

func (in *projectFeedIn) project() string { return in.Project }

func (a *api) routeFeeds() {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{"feeds"}, Summary: summary,
			Description: "As an Atom feed, the newest 50, by when they were made. The ids of its entries stay what they are. It is opened by a session, by a " +
				"token as everywhere, or by a token of the scope feed in the address.",
			Responses: described("application/atom+xml", &huma.Schema{Type: huma.TypeString}),
		}
	}
	add(a, op("feed", allFeedPath, "Builds that ended, of every project that you may see"), func(ctx context.Context, in *FeedInput) (*huma.StreamResponse, error) {
		return a.feed(ctx, "", in.Status)
	})
	add(a, op("project-feed", projectFeedPath, "Builds of a project that ended"), func(ctx context.Context, in *projectFeedIn) (*huma.StreamResponse, error) {
		return a.feed(ctx, in.Project, in.Status)
	})
}

// identifyFor is identify for a route: feeds take a token in their address, too.
func (a *api) identifyFor(pattern string, r *http.Request) (who *identity, tried bool) {
	if feeds[pattern] && r.Header.Get("Authorization") == "" {
		if who, tried = a.byFeedToken(r); tried {
			return who, tried
		}
	}
	return a.identify(r)
}

// byFeedToken finds the owner of a token in the address of a feed. Tokens that may do more have no place in an address,
// which is kept in histories and logs: they open nothing there.
func (a *api) byFeedToken(r *http.Request) (who *identity, tried bool) {
	token := r.URL.Query().Get("token")
	if token == "" {
		return nil, false
	}
	who = a.byToken(token)
	if who == nil || slices.ContainsFunc(who.grants, func(g access.Grant) bool { return g.Scope != access.Feed }) {
		return nil, true
	}
	return who, true
}

// feed makes the feed of a project, or of all that the caller may see.
func (a *api) feed(ctx context.Context, project, status string) (*huma.StreamResponse, error) {
	title := "Builds"
	path := allFeedPath
	if project != "" {
		if _, err := a.Scheduler.Project(project); err != nil {
			return nil, err
		}
		title, path = "Builds of "+project, "/projects/"+url.PathEscape(project)+"/feed.atom"
	}
	builds, err := a.endedBuilds(ctx, project, status)
	if err != nil {
		return nil, err
	}
	out := atomFeed{
		ID: a.atomID("feed", path), Title: title, Generator: "Runner",
		Links: []atomLink{{Rel: "self", Type: atomType, Href: a.absolute(path)}, {Rel: "alternate", Type: "text/html", Href: a.absolute(cmp.Or(strings.TrimSuffix(path, "/feed.atom"), "/"))}},
	}
	latest := time.Unix(0, 0) // of a feed without entries, so that its bytes stay the same
	for i := range builds {
		entry := a.atomEntry(&builds[i])
		if builds[i].Ended.After(latest) {
			latest = builds[i].Ended
		}
		out.Entries = append(out.Entries, entry)
	}
	out.Updated = atomTime(latest)
	var text bytes.Buffer
	text.WriteString(xml.Header)
	if err := xml.NewEncoder(&text).Encode(out); err != nil {
		return nil, err
	}
	text.WriteByte('\n')
	return tagged(atomType, text.Bytes()), nil
}

// endedBuilds are the newest builds that ended, newest first, of those that the caller may see.
func (a *api) endedBuilds(ctx context.Context, project, status string) (out []client.Build, err error) {
	grants := caller(ctx).grants
	seen := func(name string) bool { return grants.May(access.Feed, name) || project != "" } // permit saw to that one
	filter := scheduler.Filter{Project: project}
	if status != "broken" {
		filter.Status = scheduler.Status(status)
	}
	cursor := ""
	for range feedPages {
		rows, next, err := a.Scheduler.Builds(filter, cursor, feedEntries)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			b := &rows[i]
			broken := b.Status != scheduler.Succeeded && b.Status != scheduler.Stopped
			if b.Status.Ended() && seen(b.Project) && (status != "broken" || broken) {
				out = append(out, a.showBuild(b))
			}
		}
		if cursor = next; next == "" || len(out) >= feedEntries {
			break
		}
	}
	return out[:min(len(out), feedEntries)], nil
}

// atomEntry tells of one build, in text: what builds bring is never HTML.
func (a *api) atomEntry(b *client.Build) atomEntry {
	e := atomEntry{
		ID: a.atomID("build", b.ID), Title: b.ID + " " + feedWord(b.Status), Updated: atomTime(b.Ended), Published: atomTime(b.Created),
		Links:      []atomLink{{Rel: "alternate", Type: "text/html", Href: a.absolute(fmt.Sprintf("/projects/%s/builds/%d", url.PathEscape(b.Project), b.Number))}},
		Categories: []atomCategory{{b.Project}, {b.Status}},
		Authors:    []atomPerson{{cmp.Or(b.Author, "Runner")}},
	}
	if b.Title != "" {
		e.Title += ": " + clip(b.Title, 200)
	}
	var lines []string
	for _, line := range []string{b.Message, testsLine(b), strings.TrimSpace(b.Ref + " " + b.Commit), fmt.Sprintf("took %s", time.Duration(b.Seconds*float64(time.Second)).Round(100*time.Millisecond))} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	e.Summary = atomText{Type: "text", Text: strings.Join(lines, "\n")}
	return e
}

func testsLine(b *client.Build) string {
	if b.Tests == nil {
		return ""
	}
	return b.Tests.Summary
}

// feedWord is a status as people say it.
func feedWord(status string) string {
	if scheduler.Status(status) == scheduler.Fault {
		return "met a broken machine"
	}
	return strings.ToLower(strings.ReplaceAll(status, "_", " "))
}

// atomID is the id of something that a feed has, whatever address the daemon is reached at: a UUID of its name within this
// daemon, as RFC 9562 derives one.
func (a *api) atomID(kind, name string) string {
	sum := sha1.Sum([]byte(a.Instance + "\x00" + kind + "\x00" + name))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id)
	return "urn:uuid:" + text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

const atomType = "application/atom+xml"

// The elements of RFC 4287 that feeds of builds have.
type (
	atomFeed struct {
		XMLName   xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		ID        string      `xml:"id"`
		Title     string      `xml:"title"`
		Updated   string      `xml:"updated"`
		Generator string      `xml:"generator"`
		Links     []atomLink  `xml:"link"`
		Entries   []atomEntry `xml:"entry"`
	}
	atomEntry struct {
		ID         string         `xml:"id"`
		Title      string         `xml:"title"`
		Updated    string         `xml:"updated"`
		Published  string         `xml:"published"`
		Authors    []atomPerson   `xml:"author"`
		Links      []atomLink     `xml:"link"`
		Categories []atomCategory `xml:"category"`
		Summary    atomText       `xml:"summary"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	}
	atomPerson struct {
		Name string `xml:"name"`
	}
	atomCategory struct {
		Term string `xml:"term,attr"`
	}
	atomText struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
)
