package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
)

// identities is a provider of identities, as far as the flow needs one: it answers over HTTP, signs with RSA, wants the
// verifier of PKCE and the client's secret, and takes a code once. Tests change what it says.
type identities struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims func(map[string]any)                       // changes what a token says
	sign   func(header, claims map[string]any) string // instead of its key
	info   map[string]any                             // of the user information endpoint

	mu    sync.Mutex
	codes map[string]url.Values // the request that each code was made for
}

func encode(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func signRS256(key *rsa.PrivateKey, header, claims map[string]any) string {
	text := encode(header) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newIdentities(t *testing.T) *identities {
	t.Helper()
	p := &identities{key: rsaKey(), codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/info", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, map[string]any{"keys": []map[string]any{{
			"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "n": base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { p.answer(w, p.info) })
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *identities) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// authorize is the provider's page, on which somebody who was sent there says yes.
func (p *identities) authorize(t *testing.T, where string) url.Values {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	asked := u.Query()
	if asked.Get("response_type") != "code" || asked.Get("client_id") != "runner" || asked.Get("code_challenge_method") != "S256" ||
		asked.Get("redirect_uri") != "https://ci.example.com/login/callback" || asked.Get("nonce") == "" || asked.Get("state") == "" || !strings.Contains(asked.Get("scope"), "openid") {
		t.Errorf("the browser was sent with %v", asked)
	}
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = asked
	return url.Values{"code": {code}, "state": {asked.Get("state")}}
}

func (p *identities) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	asked := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code"))
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if id == "" {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if asked == nil || id != "runner" || secret != "s3cret" || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": "runner", "sub": "42", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
		"nonce": asked.Get("nonce"), "preferred_username": "ada", "groups": []string{"dev", "ops"},
	}
	if p.claims != nil {
		p.claims(claims)
	}
	header := map[string]any{"alg": "RS256", "kid": "one", "typ": "JWT"}
	signed := ""
	if p.sign != nil {
		signed = p.sign(header, claims)
	} else {
		signed = signRS256(p.key, header, claims)
	}
	p.answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": signed})
}

func (p *identities) provider() *Provider {
	return New(Options{
		Issuer: p.URL, ClientID: "runner", Redirect: "https://ci.example.com/login/callback",
		Secret: func() ([]byte, error) { return []byte("s3cret"), nil },
	})
}

// logIn takes the whole way once.
func logIn(t *testing.T, p *identities, us *Provider) (access.Owner, string, error) {
	t.Helper()
	where, cookie, err := us.Begin(t.Context(), "/builds/api/1")
	if err != nil {
		t.Fatal(err)
	}
	return us.Finish(t.Context(), p.authorize(t, where), cookie)
}

func TestSomebodyLogsIn(t *testing.T) {
	p := newIdentities(t)
	who, next, err := logIn(t, p, p.provider())
	if err != nil || who.User != "ada" || !slices.Equal(who.Groups, []string{"dev", "ops"}) || next != "/builds/api/1" {
		t.Errorf("%+v to %q, %v", who, next, err)
	}
	p.claims = func(c map[string]any) {
		c["preferred_username"], c["email"], c["groups"] = "a\nb", "ada@example.com", "dev"
	}
	if who, _, err := logIn(t, p, p.provider()); err != nil || who.User != "ada@example.com" || !slices.Equal(who.Groups, []string{"dev"}) {
		t.Errorf("other claims: %+v, %v", who, err)
	}
	p.claims = func(c map[string]any) { delete(c, "groups") }
	p.info = map[string]any{"sub": "42", "groups": []string{"info"}, "preferred_username": "eve"}
	if who, _, err := logIn(t, p, p.provider()); err != nil || who.User != "ada" || !slices.Equal(who.Groups, []string{"info"}) {
		t.Errorf("groups of the user information: %+v, %v", who, err)
	}
	p.info["sub"] = "43"
	if _, _, err := logIn(t, p, p.provider()); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("information about somebody else: %v", err)
	}
}

func TestTokensThatAreNotForUsAreNotBelieved(t *testing.T) {
	p := newIdentities(t)
	us := p.provider()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c map[string]any){
		"wrong issuer":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"wrong audience": func(c map[string]any) { c["aud"] = "another" },
		"no audience":    func(c map[string]any) { delete(c, "aud") },
		"several audiences, made for another": func(c map[string]any) {
			c["aud"], c["azp"] = []string{"runner", "another"}, "another"
		},
		"several audiences, made for nobody": func(c map[string]any) { c["aud"] = []string{"runner", "another"} },
		"expired":                            func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"without an end":                     func(c map[string]any) { delete(c, "exp") },
		"not yet valid":                      func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() },
		"another nonce":                      func(c map[string]any) { c["nonce"] = "another" },
		"no nonce":                           func(c map[string]any) { delete(c, "nonce") },
	} {
		p.claims = change
		if who, _, err := logIn(t, p, us); !errors.Is(err, access.ErrInvalid) || who.User != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	p.claims = nil
	for name, sign := range map[string]func(header, claims map[string]any) string{
		"unsigned":                            func(h, c map[string]any) string { h["alg"] = "none"; return encode(h) + "." + encode(c) + "." },
		"signed with another key":             func(h, c map[string]any) string { return signRS256(other, h, c) },
		"signed with a key that is not known": func(h, c map[string]any) string { h["kid"] = "two"; return signRS256(other, h, c) },
		"signed with the public key as a secret": func(h, c map[string]any) string {
			h["alg"] = "HS256"
			text := encode(h) + "." + encode(c)
			return text + "." + base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()[:32])
		},
		"signed by a curve that it brings along": func(h, c map[string]any) string {
			h["alg"] = "ES256"
			h["jwk"] = map[string]any{"kty": "EC", "crv": "P-256"}
			text := encode(h) + "." + encode(c)
			sum := sha256.Sum256([]byte(text))
			r, s, _ := ecdsa.Sign(rand.Reader, curve, sum[:])
			return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
		},
		"with claims changed afterwards": func(h, c map[string]any) string {
			parts := strings.Split(signRS256(p.key, h, c), ".")
			changed := maps.Clone(c)
			changed["groups"] = []string{"admins"}
			return parts[0] + "." + encode(changed) + "." + parts[2]
		},
		"no token": func(_, _ map[string]any) string { return "" },
	} {
		p.sign = sign
		if who, _, err := logIn(t, p, us); !errors.Is(err, access.ErrInvalid) || who.User != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	p.sign = nil
	if _, _, err := logIn(t, p, us); err != nil {
		t.Errorf("a good one afterwards: %v", err)
	}
}

func TestAnAnswerIsGoodOnceAndInItsBrowserAlone(t *testing.T) {
	p := newIdentities(t)
	us := p.provider()
	begin := func() (url.Values, string) {
		where, cookie, err := us.Begin(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		return p.authorize(t, where), cookie
	}
	answer, cookie := begin()
	if _, _, err := us.Finish(t.Context(), answer, cookie); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, query url.Values, cookie string, us *Provider) {
		t.Helper()
		if who, _, err := us.Finish(t.Context(), query, cookie); !errors.Is(err, access.ErrInvalid) || who.User != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	refused("the same again", answer, cookie, us)
	mine, myCookie := begin()
	theirs, theirCookie := begin()
	refused("without a cookie", mine, "", us)
	refused("in another browser", mine, theirCookie, us)
	refused("with another's state", url.Values{"code": mine["code"], "state": theirs["state"]}, myCookie, us)
	refused("without a state", url.Values{"code": mine["code"]}, myCookie, us)
	refused("with a cookie that was changed", mine, myCookie[:len(myCookie)-2]+"AA", us)
	refused("with the cookie of another daemon", mine, myCookie, p.provider())
	refused("of another issuer", url.Values{"code": mine["code"], "state": mine["state"], "iss": {"https://evil.example"}}, myCookie, us)
	// A code that was made for another login does not fit this one's verifier.
	refused("with another's code", url.Values{"code": theirs["code"], "state": mine["state"]}, myCookie, us)
	third, thirdCookie := begin()
	refused("refused by the provider", url.Values{"error": {"access_denied"}, "state": third["state"]}, thirdCookie, us)
	old := newTry("/")
	old.Expires = time.Now().Add(-time.Second)
	late, err := us.wrap(old)
	if err != nil {
		t.Fatal(err)
	}
	refused("too late", url.Values{"code": {"x"}, "state": {old.State}}, late, us)
}

func TestAProviderThatIsAwayIsAskedAgain(t *testing.T) {
	p := newIdentities(t)
	us := p.provider()
	handler := p.Config.Handler
	p.Config.Handler = http.NotFoundHandler()
	if _, _, err := us.Begin(t.Context(), "/"); err == nil || errors.Is(err, access.ErrInvalid) {
		t.Errorf("while it is away: %v", err)
	}
	p.Config.Handler = handler
	if _, _, err := logIn(t, p, us); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

func TestNamesThatCanStandInALog(t *testing.T) {
	for name, want := range map[string]bool{
		"Ada Lovelace": true, "ada@example.com": true, "渡辺": true, "": false,
		"a\nb": false, "a\x7f": false, "admin\u202eada": false, "a\u200bda": false,
	} {
		if clean(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
