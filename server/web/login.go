package web

import (
	"net/http"
	"time"

	"github.com/runner-ci/runner/client"
)

// Login is what the page of the login shows. What is sent to it, the server handles.
type Login struct {
	Who     client.Identity // already logged in; without a name: nobody
	Next    string          // path of ours to go to then
	Problem string
	SignIn  bool // a provider of identities is asked, too
}

// Login writes the page of the login.
func (s *Site) Login(w http.ResponseWriter, r *http.Request, status int, l Login) {
	v := &visit{Request: r, who: l.Who, began: time.Now()}
	if err := s.write(w, v, status, &view{Template: "login", Title: "Log in", Crumbs: []crumb{{Text: "Log in"}}, Data: l}); err != nil {
		s.fail(w, v, err)
	}
}
