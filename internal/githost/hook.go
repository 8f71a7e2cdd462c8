package githost

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Push is what a forge tells of one push to a branch.
type Push struct {
	URL      string // that the repository is cloned from
	Ref      string // refs/heads/…
	Commit   string // NoCommit: the branch was deleted
	Title    string // of the commit
	Delivery string // id; the same when it is delivered again
	Secret   string // of the webhook
}

// NoCommit is what a branch points to that is not there.
var NoCommit = strings.Repeat("0", 40)

// Deliver tells a daemon of a push as GitHub would, signed, and returns the id of the trigger that it answers with. Any
// answer but 202 is an error.
func (p Push) Deliver(ctx context.Context, daemonURL string) (trigger string, err error) {
	body, err := json.Marshal(p.event())
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(p.Secret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, daemonURL+"/hooks/github", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", p.Delivery)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("reading the answer to the webhook: %w", err)
	}
	if res.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("the webhook was answered %s: %s", res.Status, answer)
	}
	var accepted struct {
		Trigger string `json:"trigger"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil {
		return "", fmt.Errorf("reading the answer %q: %w", answer, err)
	}
	return accepted.Trigger, nil
}

// event is what GitHub sends, reduced to what a receiver reads
// (https://docs.github.com/webhooks/webhook-events-and-payloads#push).
func (p Push) event() map[string]any {
	person := map[string]any{"name": "Ada", "email": "ada@example.com", "username": "ada"}
	head := map[string]any{
		"id": p.Commit, "message": p.Title, "timestamp": time.Now().Format(time.RFC3339),
		"author": person, "committer": person, "url": p.URL,
	}
	name := strings.TrimSuffix(p.URL[strings.LastIndex(p.URL, "/")+1:], ".git")
	return map[string]any{
		"ref": p.Ref, "before": NoCommit, "after": p.Commit, "created": p.Commit != NoCommit, "deleted": p.Commit == NoCommit,
		"forced": false, "head_commit": head, "commits": []any{head},
		"repository": map[string]any{
			"id": 1, "name": name, "full_name": "acme/" + name, "private": true, "default_branch": "main",
			"clone_url": p.URL, "html_url": strings.TrimSuffix(p.URL, ".git"), "ssh_url": "",
			"owner": map[string]any{"login": "acme", "name": "acme"},
		},
		"pusher": map[string]any{"name": "ada", "email": "ada@example.com"},
		"sender": map[string]any{"login": "ada", "id": 7, "type": "User"},
	}
}
