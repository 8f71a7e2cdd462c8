package oidc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"golang.org/x/oauth2"
)

// try is one login under way. It is kept by the browser, sealed, so that beginning a login costs the daemon no memory,
// however often strangers do it. A restart ends the logins under way.
type try struct {
	State, Nonce, Verifier, Next string
	Expires                      time.Time
}

// tryAge is how long somebody may take at the provider.
const tryAge = 10 * time.Minute

func newTry(next string) try {
	return try{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Expires: time.Now().Add(tryAge)}
}

// newSeal makes a seal with a key of this process.
func newSeal() cipher.AEAD {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var seal cipher.AEAD
		if seal, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return seal
		}
	}
	panic(err) // a key of 32 bytes is always right
}

func (p *Provider) wrap(t try) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(p.seal.Seal(nil, nil, text, nil)), nil
}

func (p *Provider) unwrap(cookie string) (t try, err error) {
	if cookie == "" {
		return t, invalid("the browser brought no cookie of a login that began here")
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil {
		var text []byte
		if text, err = p.seal.Open(nil, nil, sealed, nil); err == nil {
			err = json.Unmarshal(text, &t)
		}
	}
	if err != nil {
		return t, invalid("the cookie of the login is none of ours, or of a daemon that was restarted since")
	}
	if !time.Now().Before(t.Expires) {
		return t, invalid("the login took longer than %s", tryAge)
	}
	return t, nil
}

// once tells whether a try is brought back for the first time. Only tries that began here are remembered, until they would
// have expired.
func (p *Provider) once(t try) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for state, expires := range p.used {
		if now.After(expires) {
			delete(p.used, state)
		}
	}
	if _, before := p.used[t.State]; before {
		return false
	}
	p.used[t.State] = t.Expires
	return true
}
