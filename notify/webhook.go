package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/runner-ci/runner/notify/message"
	"github.com/runner-ci/runner/outbox"
)

// The headers of a webhook, as the Standard Webhooks specification names them (standardwebhooks.com).
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Sign is the signature of a body by the Standard Webhooks specification: HMAC-SHA256 over id, seconds since 1970 and
// body, with dots between them.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Webhook sends a message as JSON to an address, signed with a secret.
func (s *Sender) Webhook(ctx context.Context, address string, secret []byte, m message.Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	now := time.Now()
	return s.post(ctx, address, "notification "+m.Name+" to "+hostOf(address), body, http.Header{
		headerID:        {m.ID},
		headerTimestamp: {strconv.FormatInt(now.Unix(), 10)},
		headerSignature: {Sign(secret, m.ID, now, body)},
	})
}

// post sends JSON, and judges the answer by its status alone.
func (s *Sender) post(ctx context.Context, address, what string, body []byte, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return outbox.Refuse("%s: its address is no web address; correct it in the notification", what)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "runner")
	resp, err := s.client().Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", what, plain(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return outbox.Answer(resp.StatusCode, resp.Header, what, "look at the notification's address and secret, and at what the receiver says", time.Now())
}

// plain is an error without the address, which of Slack is a secret.
func plain(err error) error {
	for {
		u, ok := err.(*url.Error)
		if !ok {
			return err
		}
		err = u.Err
	}
}

// hostOf is the part of an address that may be shown.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "an address that is none"
}
