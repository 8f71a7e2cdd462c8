package oidc

import (
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/runner-ci/runner/access"
)

// Options say which provider, and who we are to it.
type Options struct {
	Issuer      string                 // its URL, as its tokens have it
	ClientID    string                 // ours
	Secret      func() ([]byte, error) // ours, too; nil for a client without one
	Redirect    string                 // where it sends browsers back to
	Scopes      []string               // besides openid, profile and email
	NameClaim   string                 // default: preferred_username, else email, else sub
	GroupsClaim string                 // default: groups
	Client      *http.Client           // nil: the default
}

// Provider is a provider of identities. It is asked about itself with the first login, so that a daemon starts without it.
type Provider struct {
	o    Options
	seal cipher.AEAD

	mu         sync.Mutex
	discovered *oidc.Provider
	used       map[string]time.Time // states that were brought back, and when they would expire
}

// New returns a provider. It asks nothing yet.
func New(o Options) *Provider {
	o.GroupsClaim = cmp.Or(o.GroupsClaim, "groups")
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	return &Provider{o: o, seal: newSeal(), used: map[string]time.Time{}}
}

// askTimeout bounds what one login asks the provider.
const askTimeout = 15 * time.Second

// discover asks the provider about itself, until it has answered once. Its keys are fetched when they are needed, and again
// when a token has a key that is not known.
func (p *Provider) discover() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.discovered != nil {
		return p.discovered, nil
	}
	// What the provider keeps of this context outlives the request, so it must not be the request's.
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.Background(), p.o.Client), askTimeout)
	defer cancel()
	found, err := oidc.NewProvider(ctx, p.o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking %s about itself: %w", p.o.Issuer, err)
	}
	p.discovered = found
	return found, nil
}

func (p *Provider) oauth(found *oidc.Provider) (*oauth2.Config, error) {
	c := &oauth2.Config{
		ClientID: p.o.ClientID, Endpoint: found.Endpoint(), RedirectURL: p.o.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID, "profile", "email"}, p.o.Scopes...),
	}
	if p.o.Secret == nil {
		return c, nil
	}
	secret, err := p.o.Secret()
	if err != nil {
		return nil, fmt.Errorf("reading the client secret for %s: %w", p.o.Issuer, err)
	}
	c.ClientSecret = string(secret)
	return c, nil
}

// Begin returns where the browser has to go, and what it has to bring back in a cookie.
func (p *Provider) Begin(_ context.Context, next string) (redirect, cookie string, err error) {
	found, err := p.discover()
	if err != nil {
		return "", "", err
	}
	config, err := p.oauth(found)
	if err != nil {
		return "", "", err
	}
	t := newTry(next)
	if cookie, err = p.wrap(t); err != nil {
		return "", "", err
	}
	return config.AuthCodeURL(t.State, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)), cookie, nil
}

// Finish takes what the browser brought back, and says who it is and where it wanted to go. An error that wraps
// access.ErrInvalid is about what was brought back; any other is the provider's or ours.
func (p *Provider) Finish(ctx context.Context, query url.Values, cookie string) (who access.Owner, next string, err error) {
	t, err := p.unwrap(cookie)
	switch {
	case err != nil:
		return who, "", err
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(t.State)) != 1:
		return who, "", invalid("the state is not the one that this browser was sent away with")
	case query.Get("iss") != "" && query.Get("iss") != p.o.Issuer:
		return who, "", invalid("the answer is from issuer %.200q", query.Get("iss"))
	case !p.once(t):
		return who, "", invalid("this answer was given before")
	case query.Get("error") != "":
		return who, "", invalid("the provider refused: %.200q %.500q", query.Get("error"), query.Get("error_description"))
	case query.Get("code") == "":
		return who, "", invalid("the answer has no code")
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.o.Client), askTimeout)
	defer cancel()
	who, err = p.exchange(ctx, query.Get("code"), t)
	return who, t.Next, err
}

// exchange has the provider turn the code into an identity.
func (p *Provider) exchange(ctx context.Context, code string, t try) (who access.Owner, err error) {
	found, err := p.discover()
	if err != nil {
		return who, err
	}
	config, err := p.oauth(found)
	if err != nil {
		return who, err
	}
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return who, invalid("the provider does not take the code: %.200s %.500s", refused.ErrorCode, refused.ErrorDescription)
	}
	if err != nil {
		return who, fmt.Errorf("exchanging the code with %s: %w", p.o.Issuer, err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return who, fmt.Errorf("%s gave no identity token; it must be an OpenID provider, not OAuth alone", p.o.Issuer)
	}
	token, err := found.Verifier(&oidc.Config{ClientID: p.o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return who, invalid("the identity token is not to be believed: %v", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(t.Nonce)) != 1 {
		return who, invalid("the identity token has another login's nonce")
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return who, invalid("the claims of the identity token cannot be read: %v", err)
	}
	if party, _ := claims["azp"].(string); len(token.Audience) > 1 && party != p.o.ClientID {
		return who, invalid("the identity token was made for %.200q", party)
	}
	if _, has := claims[p.o.GroupsClaim]; !has {
		if err := p.addInfo(ctx, found, tokens, token.Subject, claims); err != nil {
			return who, err
		}
	}
	return p.owner(claims), nil
}

// addInfo takes in what the provider tells of a person beside the token, where groups stand with some. Nothing of it goes
// before what the token says.
func (p *Provider) addInfo(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, subject string, claims map[string]any) error {
	if found.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return fmt.Errorf("asking %s who that is: %w", p.o.Issuer, err)
	}
	if info.Subject != subject {
		return invalid("the provider's information is about somebody else")
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil {
		return invalid("the provider's information cannot be read: %v", err)
	}
	for name, value := range more {
		if _, has := claims[name]; !has {
			claims[name] = value
		}
	}
	return nil
}

// Bounds of what is kept of a person: names and groups are a provider's, and are stored with each session.
const (
	maxName   = 200
	maxGroups = 1000
)

func (p *Provider) owner(claims map[string]any) (who access.Owner) {
	names := []string{"preferred_username", "email", "sub"}
	if p.o.NameClaim != "" {
		names = []string{p.o.NameClaim, "sub"}
	}
	for _, name := range names {
		if text, _ := claims[name].(string); who.User == "" && clean(text) {
			who.User = text
		}
	}
	switch groups := claims[p.o.GroupsClaim].(type) {
	case string:
		who.Groups = []string{groups}
	case []any:
		for _, g := range groups {
			if text, _ := g.(string); text != "" && len(text) <= maxName && len(who.Groups) < maxGroups {
				who.Groups = append(who.Groups, text)
			}
		}
	}
	slices.Sort(who.Groups)
	return who
}

// clean tells whether a name can stand in a log: whatever turns text around or hides in it cannot.
func clean(name string) bool {
	return name != "" && len(name) <= maxName && !slices.ContainsFunc([]rune(name), func(r rune) bool { return !unicode.IsGraphic(r) })
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, access.ErrInvalid)...)
}
