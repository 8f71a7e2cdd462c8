package forge

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// proofs say how each forge proves that it knows the secret.
var proofs = map[string]func(secret string, body []byte) (name, value string){
	"github":           func(s string, b []byte) (string, string) { return "X-Hub-Signature-256", sign(s, b) },
	"gitlab":           func(s string, _ []byte) (string, string) { return "X-Gitlab-Token", s },
	"gitea":            func(s string, b []byte) (string, string) { return "X-Gitea-Signature", sign(s, b)[len("sha256="):] },
	"forgejo":          func(s string, b []byte) (string, string) { return "X-Forgejo-Signature", sign(s, b)[len("sha256="):] },
	"gogs":             func(s string, b []byte) (string, string) { return "X-Gogs-Signature", sign(s, b)[len("sha256="):] },
	"bitbucket":        func(s string, b []byte) (string, string) { return "X-Hub-Signature", sign(s, b) },
	"bitbucket-server": func(s string, b []byte) (string, string) { return "X-Hub-Signature", sign(s, b) },
}

func TestEachForgeProvesThatItKnowsTheSecret(t *testing.T) {
	body := []byte(`{"a":1}`)
	old := hmac.New(sha1.New, []byte("s3cret"))
	old.Write(body)
	for _, f := range All() {
		proof := proofs[f.Name()]
		name, good := proof("s3cret", body)
		_, ofEmpty := proof("", body)
		altered := slices.Clone(body)
		altered[len(altered)-2] ^= 1
		for _, c := range []struct {
			what, value, secret string
			body                []byte
			want                bool
		}{
			{"right", good, "s3cret", body, true},
			{"another secret", good, "s3cret2", body, false},
			{"an empty secret", ofEmpty, "", body, false},
			{"nothing, and an empty secret", "", "", body, false},
			{"missing", "", "s3cret", body, false},
			{"cut short", good[:len(good)-1], "s3cret", body, false},
			{"longer", good + "0", "s3cret", body, false},
			{"the older sum", "sha1=" + hex.EncodeToString(old.Sum(nil)), "s3cret", body, false},
			{"the older sum by itself", hex.EncodeToString(old.Sum(nil)), "s3cret", body, false},
			{"one bit of the body altered", good, "s3cret", altered, f.Name() == "gitlab"}, // which signs nothing
		} {
			header := http.Header{"Content-Type": {"application/json"}}
			header.Set(name, c.value)
			if got := f.Verify(header, c.body, []byte(c.secret)); got != c.want {
				t.Errorf("%s, %s: Verify = %v, want %v", f.Name(), c.what, got, c.want)
			}
		}
		for other, proof := range proofs {
			header := http.Header{"Content-Type": {"application/json"}}
			name, value := proof("s3cret", body)
			header.Set(name, value)
			want := other == f.Name() || strings.HasPrefix(other, "bitbucket") && strings.HasPrefix(f.Name(), "bitbucket") ||
				other == "gitea" && f.Name() == "forgejo" || // an older Forgejo's
				other == "github" && (f.Name() == "gitea" || f.Name() == "forgejo" || f.Name() == "gogs")
			if got := f.Verify(header, body, []byte("s3cret")); got != want {
				t.Errorf("%s takes what %s sends: %v, want %v", f.Name(), other, got, want)
			}
		}
	}
}

// TestAFormIsSignedByWhatIsInIt holds of Gogs and those that came from it: they sign before they make a form.
func TestAFormIsSignedByWhatIsInIt(t *testing.T) {
	for _, name := range []string{"gitea", "forgejo", "gogs"} {
		text := payload(t, name+"/push")
		form := []byte(url.Values{"payload": {string(text)}}.Encode())
		header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		header.Set(proofs[name]("one", text))
		header.Set(eventHeaders[name], "push")
		f := byName(t, name)
		if !f.Verify(header, form, []byte("one")) || f.Verify(header, form, []byte("two")) {
			t.Errorf("%s: a signed form is not told from another", name)
		}
		if e, err := f.Parse(header, form); err != nil || e.Commit != newTip {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestDeliveryIDs(t *testing.T) {
	for _, c := range []struct {
		forge, want string
		header      map[string]string
	}{
		{"gitlab", "", nil},
		{"gitlab", "", map[string]string{"X-Gitlab-Webhook-UUID": "w"}},
		{"gitlab", "e", map[string]string{"X-Gitlab-Event-UUID": "e"}},
		{"gitlab", "w/i", map[string]string{"X-Gitlab-Event-UUID": "e", "Idempotency-Key": "i", "X-Gitlab-Webhook-UUID": "w"}},
		{"gitea", "d", map[string]string{"X-Gitea-Delivery": "d", "X-Gogs-Delivery": "x", "X-GitHub-Delivery": "x"}},
		{"forgejo", "d", map[string]string{"X-Forgejo-Delivery": "d", "X-Gitea-Delivery": "x"}},
		{"forgejo", "d", map[string]string{"X-Gitea-Delivery": "d"}},
		{"gogs", "d", map[string]string{"X-Gogs-Delivery": "d"}},
		{"gogs", "", map[string]string{"X-Gitea-Delivery": "d"}},
		{"bitbucket", "h/r", map[string]string{"X-Request-UUID": "r", "X-Hook-UUID": "h"}},
		{"bitbucket", "r", map[string]string{"X-Request-UUID": "r"}},
		{"bitbucket-server", "r", map[string]string{"X-Request-Id": "r"}},
	} {
		header := http.Header{}
		for name, value := range c.header {
			header.Set(name, value)
		}
		if got := byName(t, c.forge).Delivery(header); got != c.want {
			t.Errorf("%s, %v: Delivery = %q, want %q", c.forge, c.header, got, c.want)
		}
	}
}
