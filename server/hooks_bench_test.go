package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

// BenchmarkHook takes pushes of 8 KB in, 256 at once, each on disk before it is answered. Sockets are left out of it, and so
// is what becomes of the triggers.
func BenchmarkHook(b *testing.B) {
	secret := filepath.Join(b.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg := config.Default()
	for i := range 20 {
		p := config.Project{Name: fmt.Sprint("p", i), URL: fmt.Sprintf("https://github.com/example/p%d.git", i), WebhookSecret: config.Secret("file:" + secret)}
		p.Fill()
		cfg.Projects = append(cfg.Projects, p)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := scheduler.Open(filepath.Join(b.TempDir(), "state.db"), cfg, log)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	handler := New(Options{Scheduler: s, Forges: []forge.Forge{forge.GitHub{}}, Logger: log})
	body, signature := pushOfSize(b, 8<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	b.SetParallelism(128)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/hooks/github", bytes.NewReader(body))
			r.Header = http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {fmt.Sprint(n.Add(1))}, "X-Hub-Signature-256": {signature}}
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != http.StatusAccepted {
				b.Fatalf("answered %d: %s", w.Code, w.Body)
			}
		}
	})
}

// pushOfSize is a push to the last of the projects, as large as wanted, with its signature.
func pushOfSize(b *testing.B, size int) (body []byte, sum string) {
	text, err := os.ReadFile(filepath.Join("..", "forge", "testdata", "push.json"))
	if err != nil {
		b.Fatal(err)
	}
	var push map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("example/api"), []byte("example/p19")), &push); err != nil {
		b.Fatal(err)
	}
	commits := push["commits"].([]any)
	for len(body) < size {
		push["commits"] = commits
		if body, err = json.Marshal(push); err != nil {
			b.Fatal(err)
		}
		commits = append(commits, commits[0])
	}
	return body, signature("s3cret", body)
}
