package push

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// cached is saved with what BuildKit writes of a step into the configuration.
func cached(t *testing.T, made time.Time) []file {
	t.Helper()
	files := saved(t, made)
	steps := `[{"layers":[{"layer":1,"createdAt":"` + made.Format(time.RFC3339Nano) + `"}],"digest":"sha256:1","inputs":[[{"link":12345678901234567}]]}]`
	files[2].text = strings.Replace(files[2].text, `{"architecture"`, `{"`+cacheKey+`":"`+base64.StdEncoding.EncodeToString([]byte(steps))+`","architecture"`, 1)
	return files
}

// TestWhenLayersWereMadeIsInNoDigest: what BuildKit tells of its steps is kept, but for the time.
func TestWhenLayersWereMadeIsInNoDigest(t *testing.T) {
	first, err := read(t, cached(t, commitTime.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	second, err := read(t, cached(t, commitTime.Add(2*time.Hour)))
	if err != nil || first.Digest != second.Digest {
		t.Errorf("it came to %s and then to %s, %v", first.Digest, second.Digest, err)
	}
	var config map[string]json.RawMessage
	var text []byte
	if err := json.Unmarshal(first.config, &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(config[cacheKey], &text); err != nil || string(text) != `[{"digest":"sha256:1","inputs":[[{"link":12345678901234567}]],"layers":[{"createdAt":"2026-01-02T03:04:05Z","layer":1}]}]` {
		t.Errorf("of the steps it says %s, %v", text, err)
	}
	for _, junk := range []string{`7`, `"!"`, `"e30="`, `"W3s="`} {
		files := saved(t, commitTime)
		files[2].text = strings.Replace(files[2].text, `{"architecture"`, `{"`+cacheKey+`":`+junk+`,"architecture"`, 1)
		if i, err := read(t, files); err != nil || strings.Contains(string(i.config), cacheKey) {
			t.Errorf("with %s it is %v, %v", junk, i, err)
		}
	}
}

// TestWhatIsPulledIsWhatWasPushed brings an image to a registry and back.
func TestWhatIsPulledIsWhatWasPushed(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	image, err := read(t, cached(t, commitTime.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	client := New(http.DefaultTransport)
	to := Target{Repository: strings.TrimPrefix(server.URL, "http://") + "/a/b", Tags: []string{"x"}}
	if err := client.Push(t.Context(), image, to, t.Logf); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := client.Pull(t.Context(), to, image.Digest, "some.invalid/an/image:y", 1<<20, &out); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := Read(t.Context(), path, t.TempDir(), commitTime, 1<<20)
	if err != nil || back.Digest != image.Digest || !strings.Contains(out.String(), "some.invalid/an/image:y") {
		t.Errorf("what came back is %+v, %v; want %s", back, err, image.Digest)
	}
	for name, tt := range map[string]struct {
		digest string
		limit  int64
		want   string
	}{
		"too large": {image.Digest, 10, "more than 10 bytes"}, "unknown": {"sha256:" + strings.Repeat("0", 64), 1 << 20, "MANIFEST_UNKNOWN"}, "a tag": {"x", 1 << 20, "hash"},
	} {
		out.Reset()
		if _, err := client.Pull(t.Context(), to, tt.digest, "some.invalid/an/image:y", tt.limit, &out); err == nil || !strings.Contains(err.Error(), tt.want) || out.Len() > 0 {
			t.Errorf("%s: %v after %d bytes, want %q and none", name, err, out.Len(), tt.want)
		}
	}
}
