package e2e

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
)

// delivery is one webhook, made for the test in the form that GitHub documents.
type delivery struct {
	event   string
	id      string
	payload map[string]any
	secret  string
}

func repository(url string) map[string]any {
	return map[string]any{
		"id": 1, "name": "repo", "full_name": "acme/repo", "default_branch": "main", "clone_url": url,
		"html_url": strings.TrimSuffix(url, ".git"), "owner": map[string]any{"login": "acme", "name": "acme"},
	}
}

func pushOf(url, ref, commit string) delivery {
	head := map[string]any{
		"id": commit, "message": "a change", "timestamp": "2026-01-02T03:04:05Z",
		"author": map[string]any{"name": "Ada", "email": "ada@example.com", "username": "ada"},
	}
	return delivery{event: "push", id: rand.Text(), secret: hookSecret, payload: map[string]any{
		"ref": ref, "before": strings.Repeat("0", 40), "after": commit, "created": false,
		"deleted": commit == strings.Repeat("0", 40), "head_commit": head, "commits": []any{head},
		"repository": repository(url), "sender": map[string]any{"login": "ada", "id": 7},
		"pusher": map[string]any{"name": "ada", "email": "ada@example.com"},
	}}
}

// send delivers and returns the status and the decoded answer.
func (d *daemon) send(h delivery) (int, map[string]any) {
	d.t.Helper()
	status, answer, err := d.deliver(h)
	if err != nil {
		d.t.Fatal(err)
	}
	return status, answer
}

// deliver is send for a daemon that may not be there.
func (d *daemon) deliver(h delivery) (int, map[string]any, error) {
	return d.deliverBy(http.DefaultClient, h)
}

func (d *daemon) deliverBy(c *http.Client, h delivery) (int, map[string]any, error) {
	body, err := json.Marshal(h.payload)
	if err != nil {
		return 0, nil, err
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.address+"/hooks/github", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", h.event)
	req.Header.Set("X-GitHub-Delivery", h.id)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	answer := make(map[string]any)
	_ = json.Unmarshal(text, &answer)
	return res.StatusCode, answer, err
}

// push delivers a push to main and returns the build it makes.
func (d *daemon) push(url, commit string) string {
	d.t.Helper()
	return d.pushTo(url, "refs/heads/main", commit)
}

// pushTo is push to another ref.
func (d *daemon) pushTo(url, ref, commit string) string {
	d.t.Helper()
	status, answer := d.send(pushOf(url, ref, commit))
	if status != http.StatusAccepted {
		d.t.Fatalf("the webhook was answered %d: %v", status, answer)
	}
	t, err := d.WaitTrigger(d.t.Context(), answer["trigger"].(string))
	if err != nil {
		d.t.Fatal(err)
	}
	if len(t.Builds) != 1 {
		d.t.Fatalf("the push made %d builds (%s: %s), want one", len(t.Builds), t.Outcome, t.Reason)
	}
	return t.Builds[0]
}
