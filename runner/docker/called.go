package docker

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// measure has the calls that a client makes told. Those that take the connection over, of Attach, do not go this way.
func measure(c *http.Client, called func(operation string, took time.Duration, failed bool)) {
	c.Transport = &measured{c.Transport, called}
}

type measured struct {
	http.RoundTripper
	called func(operation string, took time.Duration, failed bool)
}

// RoundTrip is of http.RoundTripper. A call that its caller gave up is not the engine's failure.
func (m *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := m.RoundTripper.RoundTrip(r)
	failed := err != nil && r.Context().Err() == nil || err == nil && resp.StatusCode >= http.StatusInternalServerError
	m.called(operationOf(r.Method, r.URL.Path), time.Since(began), failed)
	return resp, err
}

// CloseIdleConnections lets http.Client reach that of the transport.
func (m *measured) CloseIdleConnections() {
	if c, ok := m.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

var (
	apiVersion = regexp.MustCompile(`^/v[0-9.]+/`)
	// plain are the words of the API's paths; anything else names something.
	plain = regexp.MustCompile(`^(_ping|archive|attach|auth|build|changes|commit|connect|containers|create|disconnect|distribution|events|exec|export|` +
		`get|history|images|info|json|kill|load|logs|networks|pause|prune|push|rename|resize|restart|resume|search|start|stats|stop|` +
		`system|df|tag|top|unpause|update|version|volumes|wait)$`)
)

// operationOf names a call by its method and the words of its path, of which there are few: "POST /containers/*/start".
func operationOf(method, path string) string {
	parts := strings.Split(strings.Trim(apiVersion.ReplaceAllString(path, "/"), "/"), "/")
	var out []string
	for i, p := range parts {
		last := len(out) > 0 && out[len(out)-1] == "*"
		switch {
		case plain.MatchString(p) && (i != 1 || len(parts) == 2):
			out = append(out, p)
		case !last: // names of images have slashes
			out = append(out, "*")
		}
	}
	return method + " /" + strings.Join(out, "/")
}
