package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Files is a certificate from two PEM files. Connections that stand keep the one they were made with; new ones get the
// newest.
type Files struct {
	certificate, key string
	log              *slog.Logger

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex // of reading
	seen    [2]version // of the files that were read last, with success or not
}

// version is by what a file is known to have changed.
type version struct {
	at   time.Time
	size int64
}

// ReadFiles reads a certificate, which may have the chain behind it, and its key.
func ReadFiles(certificate, key string, log *slog.Logger) (*Files, error) {
	f := &Files{certificate: certificate, key: key, log: log}
	return f, f.Reload()
}

// Reload reads the files again. On an error the former certificate stays.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = f.look()
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return fmt.Errorf("reading the certificate %s and its key %s: %w", f.certificate, f.key, err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return fmt.Errorf("reading the certificate %s: %w", f.certificate, err)
		}
	}
	f.current.Store(&pair)
	return nil
}

func (f *Files) look() (seen [2]version) {
	for i, path := range []string{f.certificate, f.key} {
		if info, err := os.Stat(path); err == nil {
			seen[i] = version{info.ModTime(), info.Size()}
		}
	}
	return seen
}

// lookEvery is how often the files are looked at: those who renew certificates do it days ahead.
const lookEvery = 10 * time.Second

// Watch reads the files when they change, until ctx ends.
func (f *Files) Watch(ctx context.Context) { f.watch(ctx, lookEvery) }

func (f *Files) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f.mu.Lock()
		same := f.look() == f.seen
		f.mu.Unlock()
		if same {
			continue
		}
		if err := f.Reload(); err != nil {
			f.log.Error("the changed certificate was not taken; the former one stays", "error", err)
			continue
		}
		f.log.Info("a new certificate is in use", "file", f.certificate, "expires", f.current.Load().Leaf.NotAfter)
	}
}

// Certificate is what tls.Config.GetCertificate wants.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := f.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("no certificate was read yet")
}

// soon is how long before the end of a certificate somebody should look: most are renewed a month ahead.
const soon = 14 * 24 * time.Hour

// Trouble is a sentence about a certificate that ends soon, or that clients refuse already; empty while all is well.
func (f *Files) Trouble(now time.Time) string {
	leaf := f.current.Load().Leaf
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		return fmt.Sprintf("the certificate %s expired on %s: clients refuse the daemon; renew it, and the daemon reads it by itself", f.certificate, leaf.NotAfter.Format(time.DateOnly))
	case left < soon:
		return fmt.Sprintf("the certificate %s expires on %s; renew it, and the daemon reads it by itself", f.certificate, leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the certificate %s is valid from %s on only; compare the machine's clock", f.certificate, leaf.NotBefore.Format(time.DateTime))
	}
	return ""
}
