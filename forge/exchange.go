package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/drone/go-scm/scm"
)

// exchange sends JSON and reads JSON. With a status that is no success, the error is what the forge says of it.
func (a *API) exchange(ctx context.Context, method, path string, in, out any) (*scm.Response, error) {
	req := &scm.Request{Method: method, Path: path, Header: http.Header{"Accept": {"application/json"}}}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		req.Body = bytes.NewReader(text)
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.scm.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return resp, err
	case resp.Status < 200 || resp.Status > 299:
		return resp, errors.New(saidIn(text, resp.Status))
	case out != nil:
		if err := json.Unmarshal(text, out); err != nil {
			return resp, errors.New("what answered is no JSON of this API")
		}
	}
	return resp, nil
}

// saidIn finds the forge's own words in the body of an error, whichever of their forms it has.
func saidIn(body []byte, status int) string {
	var said struct {
		Message json.RawMessage
		Error   json.RawMessage
		Errors  []struct{ Message string }
	}
	_ = json.Unmarshal(body, &said)
	for _, raw := range []json.RawMessage{said.Message, said.Error} {
		var text string
		var nested struct{ Message string }
		switch {
		case json.Unmarshal(raw, &text) == nil && text != "":
			return text
		case json.Unmarshal(raw, &nested) == nil && nested.Message != "":
			return nested.Message
		case len(raw) > 0 && raw[0] == '{': // GitLab: fields with lists of sentences
			return string(raw)
		}
	}
	for _, e := range said.Errors {
		if e.Message != "" {
			return e.Message
		}
	}
	return http.StatusText(status)
}
