package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeTokens() {
	s.page("GET /tokens", s.tokens)
	s.route("POST /tokens", s.createToken)
	s.action("POST /tokens/{name}/revoke", s.revokeToken)
}

// tokens is what the page of tokens shows.
type tokens struct {
	Tokens  []client.Token
	Made    *client.NewToken // just now: the only time that its secret is shown
	Refused *client.Error    // why it was not made
	Form    tokenForm
	URL     string
	Now     time.Time
}

// tokenForm is what somebody filled in.
type tokenForm struct{ Name, Scope, Projects, Expires string }

// expiries are what the form offers.
var expiries = map[string]time.Duration{"day": 24 * time.Hour, "month": 30 * 24 * time.Hour, "quarter": 90 * 24 * time.Hour, "year": 365 * 24 * time.Hour}

func (s *Site) tokens(v *visit) (*view, error) {
	return s.tokensPage(v, tokens{Form: tokenForm{Scope: "submit", Expires: "quarter"}})
}

func (s *Site) tokensPage(v *visit, data tokens) (*view, error) {
	all, err := s.Client.Tokens(v.Context())
	if err != nil {
		return nil, err
	}
	data.Tokens, data.URL, data.Now = all, s.daemonURL(v), time.Now()
	return &view{Template: "tokens", Title: "Tokens", Crumbs: []crumb{{Text: "Tokens"}}, Data: data}, nil
}

// createToken answers with the page itself: were it to redirect, the secret would have to be kept somewhere.
func (s *Site) createToken(w http.ResponseWriter, v *visit) error {
	v.Body = http.MaxBytesReader(w, v.Body, maxForm)
	data := tokens{Form: tokenForm{v.PostFormValue("name"), v.PostFormValue("scope"), v.PostFormValue("projects"), v.PostFormValue("expires")}}
	r := client.TokenRequest{Name: strings.TrimSpace(data.Form.Name), Scope: data.Form.Scope, Projects: strings.FieldsFunc(data.Form.Projects, func(c rune) bool { return c == ',' || c == ' ' })}
	if d := expiries[data.Form.Expires]; d > 0 {
		at := time.Now().Add(d)
		r.Expires = &at
	}
	status := http.StatusCreated
	made, err := s.Client.CreateToken(v.Context(), r)
	switch {
	case err == nil:
		data.Made, data.Form = &made, tokenForm{Scope: data.Form.Scope, Expires: data.Form.Expires}
	case isStatus(err, http.StatusUnprocessableEntity), isStatus(err, http.StatusConflict), isStatus(err, http.StatusNotFound):
		data.Refused = asError(err)
		status = data.Refused.Status
	default:
		return err
	}
	shown, err := s.tokensPage(v, data)
	if err != nil {
		return err
	}
	return s.write(w, v, status, shown)
}

func (s *Site) revokeToken(v *visit) (string, error) {
	return "/tokens", s.Client.RemoveToken(v.Context(), v.PathValue("name"))
}
