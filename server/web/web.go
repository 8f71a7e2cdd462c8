// Package web is the pages that people look at: home, projects, builds, logs, tests and what an admin needs. Each is HTML
// that reads and works without JavaScript, made from what the daemon's own API answers under the visitor's identity; this
// package knows nothing else of the daemon. Scripts add what HTML cannot: it stays live, has keys, and copies commands.
//
// A page is a function from a visit to a view, a template below templates/ and a row in a routeX method:
//
//  1. Site.page calls the function, which asks the API.
//  2. What the API refuses becomes the page of the login or of the error: detail and hint are the API's.
//  3. The view's template is rendered into the layout, whole, before the first byte is sent.
//
// What a page does is a form that POSTs to an action, which redirects. A page whose view names events of the API is fetched
// again, and its main part morphed, after each of them.
package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// Options is what the pages are made of.
type Options struct {
	// Client asks the daemon's own API; it answers by the identity in the context of each request.
	Client  *client.Client
	Base    string // path below which a proxy shows us, like /runner; mostly empty
	Origin  string // how browsers reach us, scheme://host:port; empty: as each of them says
	Version string
	Logger  *slog.Logger
}

// Route is a pattern of http.ServeMux with what answers it.
type Route struct {
	Pattern string
	Handle  http.HandlerFunc
}

// Site is all pages.
type Site struct {
	Options
	templates map[string]*template.Template
	assets    map[string]asset // by name
	pages     []Route
}

// New makes the site. Its templates and assets are embedded, so that a mistake in one is a panic of every test.
func New(o Options) *Site {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Site{Options: o, assets: readAssets()}
	s.templates = s.parseTemplates()
	s.routeHome()
	s.routeQueue()
	s.routeTriggers()
	s.routeAudit()
	s.routeTokens()
	s.routeProject()
	s.routeBuild()
	s.routeLog()
	s.routeStatus()
	s.routeAPI()
	return s
}

// Pages are the routes of all pages and actions.
func (s *Site) Pages() []Route { return s.pages }

// visit is one request for a page, and who it comes from.
type visit struct {
	*http.Request
	who   client.Identity // without a name: nobody
	began time.Time
}

// known tells that the visitor is somebody.
func (v *visit) known() bool { return v.who.Name != "" }

// view is what a page shows.
type view struct {
	Template string
	Title    string  // of the window, before "· Runner"
	Crumbs   []crumb // below Runner; the last is this page
	Icon     string  // of the window: good, bad, busy or nothing
	Events   string  // path of server-sent events of the API, after each of which the page is fetched again
	Every    int     // seconds after which it is fetched again in any case; 0: it is not
	Scripts  []string
	Data     any
}

// crumb is one step of the way to a page.
type crumb struct{ Text, Path string }

// frame is what the layout shows around a view.
type frame struct {
	*view
	Who    client.Identity
	Daemon *client.Daemon // nil to whom it is not told
	Here   string         // path of the page, with its query
}

// At tells whether this page is at a path, or below it.
func (f frame) At(path string) bool {
	here, _, _ := strings.Cut(f.Here, "?")
	return here == path || strings.HasPrefix(here, path+"/")
}

// page adds a page.
func (s *Site) page(pattern string, show func(v *visit) (*view, error)) {
	s.route(pattern, func(w http.ResponseWriter, v *visit) error {
		shown, err := show(v)
		if err != nil {
			return err
		}
		return s.write(w, v, http.StatusOK, shown)
	})
}

// action adds what a form asks for; to is the path that the browser goes to then.
func (s *Site) action(pattern string, do func(v *visit) (to string, err error)) {
	s.route(pattern, func(w http.ResponseWriter, v *visit) error {
		v.Body = http.MaxBytesReader(w, v.Body, maxForm)
		if err := v.ParseForm(); err != nil {
			return &client.Error{Status: http.StatusBadRequest, Detail: "the form cannot be read: " + err.Error(), Hint: "go back and send it again"}
		}
		to, err := do(v)
		if err == nil {
			http.Redirect(w, v.Request, s.path(to), http.StatusSeeOther)
		}
		return err
	})
}

// maxForm bounds a form in bytes.
const maxForm = 256 << 10

// route adds a handler whose errors become pages.
func (s *Site) route(pattern string, handle func(w http.ResponseWriter, v *visit) error) {
	s.pages = append(s.pages, Route{pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, handle) }})
}

// answer finds out who asks, and handles it. What goes wrong becomes a page.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, handle func(w http.ResponseWriter, v *visit) error) {
	v := &visit{Request: r, began: time.Now()}
	var err error
	if v.who, err = s.Client.Whoami(r.Context()); isStatus(err, http.StatusUnauthorized) {
		err = nil
	}
	if err == nil {
		err = handle(w, v)
	}
	if err != nil {
		s.fail(w, v, err)
	}
}

// Nothing answers a browser at whose path there is no page.
func (s *Site) Nothing(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, func(http.ResponseWriter, *visit) error {
		return &client.Error{Status: http.StatusNotFound, Detail: "there is nothing at " + r.URL.Path, Hint: "begin at the first page"}
	})
}

// daemonURL is how this visitor reaches the daemon, for commands to copy.
func (s *Site) daemonURL(v *visit) string {
	if s.Origin != "" {
		return s.Origin + s.Base
	}
	scheme := "http://"
	if v.TLS != nil {
		scheme = "https://"
	}
	return scheme + v.Host + s.Base
}

// isStatus tells whether the API answered with that status.
func isStatus(err error, status int) bool {
	var p *client.Error
	return errors.As(err, &p) && p.Status == status
}

// asError is the API's answer in an error; nil where there is none.
func asError(err error) (p *client.Error) {
	errors.As(err, &p)
	return p
}

// fail shows what went wrong, or sends to the login whoever may see more after it.
func (s *Site) fail(w http.ResponseWriter, v *visit, err error) {
	var p *client.Error
	if !errors.As(err, &p) {
		if v.Context().Err() != nil {
			return // nobody reads the answer
		}
		s.Logger.Error("a page could not be shown", "path", v.URL.Path, "error", err)
		p = &client.Error{Status: http.StatusInternalServerError, Detail: "the daemon could not make this page", Hint: "its log says why"}
	}
	if p.Status == http.StatusUnauthorized && !strings.Contains(v.Header.Get("Accept"), "text/html") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="runner"`)
		http.Error(w, p.Error()+"; "+p.Hint, p.Status) // no browser asks
		return
	}
	if p.Status == http.StatusUnauthorized || p.Status == http.StatusNotFound && !v.known() {
		// To nobody it is not told what there is.
		to := s.path("/login")
		if v.Method == http.MethodGet {
			to = s.loginPath(v.URL.RequestURI())
		}
		http.Redirect(w, v.Request, to, http.StatusSeeOther)
		return
	}
	if err := s.write(w, v, p.Status, &view{Template: "error", Title: http.StatusText(p.Status), Crumbs: []crumb{{Text: http.StatusText(p.Status)}}, Data: p}); err != nil {
		s.Logger.Error("the page of an error could not be shown", "path", v.URL.Path, "error", err)
		http.Error(w, p.Error(), p.Status)
	}
}

// Policy is the Content-Security-Policy of every page: what it shows and runs is ours, and nobody frames it.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// write renders a view in the layout and sends it.
func (s *Site) write(w http.ResponseWriter, v *visit, status int, shown *view) error {
	t := s.templates[shown.Template]
	if t == nil {
		return fmt.Errorf("there is no template %q", shown.Template)
	}
	f := frame{view: shown, Who: v.who, Here: v.URL.RequestURI()}
	if v.known() {
		if d, err := s.Client.Daemon(v.Context()); err == nil {
			f.Daemon = &d
		}
	}
	var page bytes.Buffer
	if err := t.ExecuteTemplate(&page, "layout", f); err != nil {
		return fmt.Errorf("rendering the template %s: %w", shown.Template, err)
	}
	sendHTML(w, v, status, page.Bytes())
	return nil
}

// path is a path of ours as a browser has to ask for it.
func (s *Site) path(parts ...string) string { return s.Base + strings.Join(parts, "") }

// loginPath is where a browser logs in that comes back to a path then.
func (s *Site) loginPath(next string) string { return s.path("/login?next=", url.QueryEscape(next)) }
