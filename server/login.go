package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/server/web"
)

const (
	// maxLogin bounds the body of a login in bytes.
	maxLogin = 8 << 10
	// loginTimeout is how long it may take to come.
	loginTimeout = 10 * time.Second
	// signInAge is how long somebody may take at the provider of identities.
	signInAge = 10 * time.Minute
)

// cookieName is that of a session's cookie. With the prefix a browser takes it over TLS alone, and from this host alone.
func (a *api) cookieName() string { return a.prefixed("runner") }

func (a *api) signInCookie() string { return a.prefixed("runner-login") }

func (a *api) prefixed(name string) string {
	if a.Secure {
		return "__Host-" + name
	}
	return name
}

// cookie is one that no script reads and no page of another site sends, but by a link. A negative age takes it away.
func (a *api) cookie(name, value string, age time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: a.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int(age.Seconds())}
	if age < 0 {
		c.MaxAge = -1
	}
	return c
}

// plainIn takes the request as it is: forms and cookies are no business of huma's.
type plainIn struct{ r *http.Request }

// Resolve takes the request over from huma.
func (in *plainIn) Resolve(ctx huma.Context) []error {
	in.r, _ = humago.Unwrap(ctx)
	return nil
}

// addPlain registers a route for browsers that needs no token. Its problems are problems like any other.
func (a *api) addPlain(op huma.Operation, handle func(w http.ResponseWriter, r *http.Request) *Problem) {
	op.Tags = []string{"login"}
	addPublic(a, op, func(_ context.Context, in *plainIn) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			_, w := humago.Unwrap(hctx)
			if p := handle(w, in.r); p != nil {
				writeProblem(w, p)
			}
		}}, nil
	})
}

func (a *api) routeLogin() {
	page := map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/html": {}}}}
	sent := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {}, "application/x-www-form-urlencoded": {}}}
	to := func(where string) map[string]*huma.Response {
		return map[string]*huma.Response{"303": {Description: where}}
	}
	a.addPlain(huma.Operation{OperationID: "login-page", Method: http.MethodGet, Path: "/login",
		Summary: "The page on which a browser logs in, or sees that it is", Responses: page}, a.loginPage)
	a.addPlain(huma.Operation{OperationID: "login", Method: http.MethodPost, Path: "/login", RequestBody: sent,
		Summary: "Open a session with a token: JSON is answered with JSON, a form with a redirect", Responses: page,
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnsupportedMediaType, http.StatusTooManyRequests}}, a.login)
	a.addPlain(huma.Operation{OperationID: "logout", Method: http.MethodPost, Path: "/logout",
		Summary: "End the session", Responses: to("to the page of the login"), Errors: []int{http.StatusForbidden}}, a.logout)
	a.addPlain(huma.Operation{OperationID: "sign-in", Method: http.MethodGet, Path: "/login/oidc",
		Summary: "Log in with the provider of identities", Responses: to("to the provider"),
		Errors: []int{http.StatusTooManyRequests, http.StatusBadGateway}}, a.signIn)
	a.addPlain(huma.Operation{OperationID: "signed-in", Method: http.MethodGet, Path: "/login/callback",
		Summary: "Where the provider of identities sends the browser back", Responses: to("to where it wanted to go"),
		Errors: []int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusBadGateway}}, a.signedIn)
}

// showLogin writes the page of the login.
func (a *api) showLogin(w http.ResponseWriter, r *http.Request, status int, next, trouble string) {
	l := web.Login{Next: localPath(next), Problem: trouble, SignIn: a.SignIn != nil && a.Access != nil}
	if who, _ := a.identify(r); who != nil && trouble == "" {
		l.Who = showIdentity(who)
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, who)) // the frame of the page shows what this one may see
	}
	a.site.Login(w, r, status, l)
}

func (a *api) loginPage(w http.ResponseWriter, r *http.Request) *Problem {
	a.showLogin(w, r, http.StatusOK, r.URL.Query().Get("next"), "")
	return nil
}

// localPath is where to go after a login: a path of ours, whatever was asked for.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsFunc(next, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }) {
		return "/"
	}
	return next
}

// loginForm is what a login brings.
type loginForm struct {
	Token string `json:"token"`
	Next  string `json:"next,omitempty"`
}

func readLogin(w http.ResponseWriter, r *http.Request) (form loginForm, isForm bool, p *Problem) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(loginTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogin))
	if err != nil {
		return form, false, problem(http.StatusBadRequest, "the login is larger than 8 KiB, or did not come in time", "")
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		err = json.Unmarshal(body, &form)
	case "application/x-www-form-urlencoded":
		var values url.Values
		values, err = url.ParseQuery(string(body))
		form, isForm = loginForm{values.Get("token"), values.Get("next")}, true
	default:
		return form, false, problem(http.StatusUnsupportedMediaType, "a login is JSON or a form", `send {"token":"…"} as application/json`)
	}
	if err != nil {
		return form, isForm, problem(http.StatusBadRequest, "the login cannot be read", `send {"token":"…"} as application/json`)
	}
	form.Token = strings.TrimSpace(form.Token)
	return form, isForm, nil
}

// login opens a session with a token.
func (a *api) login(w http.ResponseWriter, r *http.Request) *Problem {
	if a.origins.Check(r) != nil {
		return crossOrigin()
	}
	if a.Access == nil {
		return problem(http.StatusNotFound, "no sessions are kept here", "runner serve keeps sessions")
	}
	address := a.addressOf(r)
	if pause := a.logins.pause(address); pause > 0 {
		return tooOften(w, pause)
	}
	form, isForm, p := readLogin(w, r)
	if p != nil {
		return p
	}
	who := a.byToken(form.Token)
	if who == nil {
		a.logins.take(address)
		a.Access.Refused(access.Event{Action: "login", Address: callNetwork(address), Result: http.StatusUnauthorized})
		if isForm {
			a.showLogin(w, r, http.StatusUnauthorized, form.Next, "This is no valid token.")
			return nil
		}
		return problem(http.StatusUnauthorized, "this is no valid token", "an admin makes tokens with runner token create")
	}
	who.address = address.String()
	session, p := a.open(w, who, a.ownerOf(form.Token))
	switch {
	case p != nil:
		return p
	case isForm:
		redirect(w, a.Base+localPath(form.Next))
		return nil
	}
	who.expires = session.Expires
	text, err := json.Marshal(showIdentity(who))
	if err != nil {
		return problemOf(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n'))
	return nil
}

// ownerOf says how a session remembers the token that it was opened with.
func (a *api) ownerOf(token string) access.Owner {
	sum := access.SumOf(token)
	for _, t := range a.Tokens {
		if t.Sum == sum {
			return access.Owner{Root: rootID(t)}
		}
	}
	t, _, _ := a.Access.Find(token)
	return access.Owner{Token: t.ID}
}

// open makes a session and gives its cookie to the browser.
func (a *api) open(w http.ResponseWriter, who *identity, owner access.Owner) (session access.Session, p *Problem) {
	seq, err := a.Access.Record(access.Event{Who: who.name, Address: who.address, Action: "login"}, who.grants)
	var secret string
	if err == nil {
		session, secret, err = a.Access.Begin(owner)
	}
	if err != nil {
		p := problemOf(err)
		p.ID = newID()
		a.Logger.Error("a login failed", "id", p.ID, "error", err)
		return session, p
	}
	a.conclude(seq, http.StatusOK)
	http.SetCookie(w, a.cookie(a.cookieName(), secret, time.Until(session.Expires)))
	return session, nil
}

// redirect sends a browser on with a GET.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// logout ends the session, if there is one, and takes its cookie away.
func (a *api) logout(w http.ResponseWriter, r *http.Request) *Problem {
	if a.origins.Check(r) != nil {
		return crossOrigin()
	}
	if cookie, err := r.Cookie(a.cookieName()); err == nil && a.Access != nil {
		if err := a.Access.End(cookie.Value); err != nil {
			return problemOf(err)
		}
	}
	http.SetCookie(w, a.cookie(a.cookieName(), "", -1))
	redirect(w, a.Base+"/login")
	return nil
}

func noProvider() *Problem {
	return problem(http.StatusNotFound, "no provider of identities is configured", "access.oidc in runner.yml names one; POST /login takes a token")
}

// signIn sends a browser to the provider of identities.
func (a *api) signIn(w http.ResponseWriter, r *http.Request) *Problem {
	if a.SignIn == nil || a.Access == nil {
		return noProvider()
	}
	address := a.addressOf(r)
	if pause := a.logins.pause(address); pause > 0 {
		return tooOften(w, pause)
	}
	where, cookie, err := a.SignIn.Begin(r.Context(), localPath(r.URL.Query().Get("next")))
	if err != nil {
		a.logins.take(address) // or strangers could have the provider asked, and the log written to, without end
		a.Logger.Error("a login with the provider of identities cannot begin", "error", err)
		return problem(http.StatusBadGateway, "the provider of identities does not answer", "the daemon's log says why; log in with a token meanwhile")
	}
	http.SetCookie(w, a.cookie(a.signInCookie(), cookie, signInAge))
	redirect(w, where)
	return nil
}

// signedIn opens a session for whom the provider of identities vouches for.
func (a *api) signedIn(w http.ResponseWriter, r *http.Request) *Problem {
	if a.SignIn == nil || a.Access == nil {
		return noProvider()
	}
	address := a.addressOf(r)
	if pause := a.logins.pause(address); pause > 0 {
		return tooOften(w, pause)
	}
	brought := ""
	if cookie, err := r.Cookie(a.signInCookie()); err == nil {
		brought = cookie.Value
	}
	http.SetCookie(w, a.cookie(a.signInCookie(), "", -1)) // it is good for one try
	owner, next, err := a.SignIn.Finish(r.Context(), r.URL.Query(), brought)
	if err == nil {
		grants := a.Roles(owner.Groups)
		if len(grants) > 0 {
			who := &identity{name: personal(owner.User), address: address.String(), grants: grants}
			if _, p := a.open(w, who, owner); p != nil {
				return p
			}
			redirect(w, a.Base+localPath(next))
			return nil
		}
	}
	a.logins.take(address)
	a.Access.Refused(access.Event{Who: personal(owner.User), Action: "sign-in", Address: callNetwork(address), Result: http.StatusForbidden})
	switch {
	case err == nil:
		a.showLogin(w, r, http.StatusForbidden, next, "You are "+owner.User+", and none of your groups has a role here.")
	case errors.Is(err, access.ErrInvalid):
		a.Logger.Warn("a login with the provider of identities was refused", "remote", address.String(), "error", err)
		a.showLogin(w, r, http.StatusForbidden, "", "This login is not valid any more, or it was not begun here. Try again.")
	default:
		a.Logger.Error("a login with the provider of identities failed", "error", err)
		return problem(http.StatusBadGateway, "the provider of identities did not confirm the login", "the daemon's log says why")
	}
	return nil
}
