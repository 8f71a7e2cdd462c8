package faces

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// hookSecret is the webhook secret of every project here.
const hookSecret = "a secret between the forge and us"

// delivery is one webhook in the form that GitHub documents.
type delivery struct {
	event   string
	payload map[string]any
}

func pushOf(url, ref, commit string) delivery {
	head := map[string]any{
		"id": commit, "message": "a change", "timestamp": "2026-01-02T03:04:05Z",
		"author": map[string]any{"name": "Ada", "email": "ada@example.com", "username": "ada"},
	}
	return delivery{"push", map[string]any{
		"ref": ref, "before": strings.Repeat("0", 40), "after": commit, "head_commit": head, "commits": []any{head},
		"repository": repository(url), "sender": map[string]any{"login": "ada", "id": 7}, "pusher": map[string]any{"name": "ada", "email": "ada@example.com"},
	}}
}

func repository(url string) map[string]any {
	return map[string]any{
		"id": 1, "name": "repo", "full_name": "acme/repo", "default_branch": "main", "clone_url": url,
		"html_url": strings.TrimSuffix(url, ".git"), "owner": map[string]any{"login": "acme", "name": "acme"},
	}
}

// deliver sends a webhook.
func (w *world) deliver(t testing.TB, h delivery) (status int, answer string) {
	t.Helper()
	body, err := json.Marshal(h.payload)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/hooks/github", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": h.event, "X-GitHub-Delivery": rand.Text(),
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
