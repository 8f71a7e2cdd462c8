package server

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/runner-ci/runner/access"
)

// identity is who a request comes from.
type identity struct {
	name    string // whom what it does is recorded as
	address string
	grants  access.Grants
	session bool              // a browser's, known by its cookie
	nobody  bool              // without a token or session: what anybody may see
	expires time.Time         // zero: never
	lives   []context.Context // of the token, of the session: what is going on ends with them
}

type callerKey struct{}

// caller returns who a request came from. Where nobody has to be known, that is somebody who may do nothing.
func caller(ctx context.Context) *identity {
	if who, ok := ctx.Value(callerKey{}).(*identity); ok {
		return who
	}
	return &identity{}
}

// callerOf names whom what a request does is recorded as.
func callerOf(ctx context.Context) string { return caller(ctx).name }

// identify finds out whom a request comes from, by its token or else by its cookie; nil when that is nobody. tried tells
// that the request had one of these.
func (a *api) identify(r *http.Request) (who *identity, tried bool) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, token, _ := strings.Cut(auth, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, true
		}
		return a.byToken(strings.TrimSpace(token)), true
	}
	if a.Access == nil {
		return nil, false
	}
	cookie, err := r.Cookie(a.cookieName())
	if err != nil {
		return nil, false
	}
	session, life, ok := a.Access.Session(cookie.Value)
	if !ok {
		return nil, true
	}
	return a.byOwner(session, life), true
}

// byToken finds the owner of a token. The daemon's own are compared in constant time.
func (a *api) byToken(token string) (who *identity) {
	sum := access.SumOf(token)
	for _, t := range a.Tokens {
		if subtle.ConstantTimeCompare(sum[:], t.Sum[:]) == 1 {
			who = &identity{name: t.Name, grants: access.Root()}
		}
	}
	if who != nil || a.Access == nil {
		return who
	}
	t, life, ok := a.Access.Find(token)
	if !ok {
		return nil
	}
	return &identity{name: t.Name, grants: access.Grants{t.Grant}, expires: t.Expires, lives: []context.Context{life}}
}

// rootID is by what a session remembers one of the daemon's own tokens.
func rootID(t Token) string { return hex.EncodeToString(t.Sum[:8]) }

// byOwner looks at what a session was opened with: a token that was revoked, or a group that has no role any more, ends it.
func (a *api) byOwner(session access.Session, life context.Context) *identity {
	who := &identity{session: true, expires: session.Expires, lives: []context.Context{life}}
	switch o := session.Owner; {
	case o.Root != "":
		for _, t := range a.Tokens {
			if rootID(t) == o.Root {
				who.name, who.grants = t.Name, access.Root()
				return who
			}
		}
	case o.Token != "":
		if t, tokenLife, ok := a.Access.FindID(o.Token); ok {
			who.name, who.grants, who.lives = t.Name, access.Grants{t.Grant}, append(who.lives, tokenLife)
			return who
		}
	case o.User != "":
		if grants := a.Roles(o.Groups); len(grants) > 0 {
			who.name, who.grants = personal(o.User), grants
			return who
		}
	}
	return nil
}

// personal is whom a person's actions are recorded as. No token can be called so.
func personal(name string) string { return "user:" + name }

// unauthorized is the one answer to a missing and to a wrong token.
func unauthorized() *Problem {
	return problem(http.StatusUnauthorized, "this needs a valid token",
		"send Authorization: Bearer TOKEN; runner login stores a token for the commands, RUNNER_TOKEN gives one. The daemon's own is in the file token of its data directory")
}
