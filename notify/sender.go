package notify

import (
	"crypto/tls"
	"net/http"
	"sync"
	"time"
)

// sendTimeout bounds one message.
const sendTimeout = 20 * time.Second

// Sender sends messages. It is safe for use by several goroutines.
type Sender struct {
	Transport http.RoundTripper // nil: the default one
	TLS       *tls.Config       // whom to trust, of mail servers; nil: the system's

	once sync.Once
	http *http.Client
}

// client follows no redirect: a receiver that moved is written down anew, and no address of the daemon's own network is reached
// by a detour over a stranger's server.
func (s *Sender) client() *http.Client {
	s.once.Do(func() {
		s.http = &http.Client{Transport: s.Transport, Timeout: sendTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	})
	return s.http
}
