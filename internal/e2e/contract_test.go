package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/contract"
)

// TestARealDaemonAnswersAsItsDocumentSays walks through every GET of the document after a build that failed, with tests and
// an artifact, and one that was retried; each answer has to be described, with all that is in it.
func TestARealDaemonAnswersAsItsDocumentSays(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, repo, commit := git.repo("api", map[string]string{"buildspec.yml": spec(
		`echo out > out; printf '<testsuite name="s"><testcase classname="c" name="ok" time="0.1"/><testcase classname="c" name="bad"><failure message="no">at x.go:3</failure></testcase></testsuite>' > r.xml; exit 3`,
	) + "artifacts:\n  files: [out]\nreports:\n  unit:\n    files: [r.xml]\n    file-format: JUNITXML\n"})
	d := newDaemon(t, "", project("api", repo))
	first := d.settled(d.ended(d.push(repo, commit), "FAILED"))
	d.ended(d.retried(first.ID, false), "FAILED")
	text, err := d.OpenAPI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := contract.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	var paths struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Required bool
			}
			Responses map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal(text, &paths); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(filepath.Join(d.data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("{project}", "api", "{number}", "1", "{name}", "api", "{id}", first.Trigger, "{file}", "api.svg")
	asked, full := 0, 0
	for path, item := range paths.Paths {
		op, ok := item["get"]
		if _, answersJSON := op.Responses["200"].Content["application/json"]; !ok || !answersJSON {
			continue
		}
		query := url.Values{}
		for _, p := range op.Parameters {
			if p.In == "query" && p.Required {
				query.Set(p.Name, "c.bad")
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.address+values.Replace(path)+"?"+query.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		if err := doc.Answer(http.MethodGet, path, resp.StatusCode, kind, body); err != nil {
			t.Errorf("%s answers %d, which does not fit: %v\n%.2000s", path, resp.StatusCode, err, body)
		}
		if asked++; resp.StatusCode == http.StatusOK {
			full++
		}
	}
	if asked < 25 || full < 20 {
		t.Errorf("%d routes were asked, and %d answered 200", asked, full)
	}
}
