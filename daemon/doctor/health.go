package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// healthy asks whether a daemon answers below an address.
func healthy(ctx context.Context, web *http.Client, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := web.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var said struct {
		Status string `json:"status"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(body, &said) != nil || said.Status != "ok" {
		return fmt.Errorf("something answers %s, and it is no daemon of ours", res.Status)
	}
	return nil
}

// local tells whether a URL names this machine's loopback interface.
func (p *patient) local(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
