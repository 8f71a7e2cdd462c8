package metrics

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// full is a registry in which everything has happened once.
func full() *Metrics {
	m := New()
	m.Identify("v1", "abc")
	m.Trigger("push", "built")
	m.Build("api", "SUCCEEDED", "", time.Minute)
	m.Job("FAILED", "command_failed")
	m.Waited(time.Second)
	m.Attempt("local", true)
	m.Phase("BUILD", time.Second)
	m.Decision(time.Millisecond)
	m.Commit("state.db", 3, time.Millisecond)
	m.Webhook("github", 202, time.Millisecond)
	m.EngineCall("local", "POST /containers/create", time.Millisecond, true)
	m.Trace("exported")
	m.Outbox("status", "sent")
	m.TaskError("dispatcher")
	m.EngineUp("local", true)
	m.UseQueue(func() Queue { return Queue{Waiting: 1, Oldest: time.Now().Add(-time.Minute)} })
	m.Measured(Sizes{Stores: map[string]int64{"state.db": 1}})
	return m
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("scraped with %d, %v", w.Code, err)
	}
	return string(text)
}

func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, full()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "runner_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestTheTableIsTheRegistry holds docs/metrics.md and what is registered together, and every file of examples/metrics too:
// they name no metric that there is not.
func TestTheTableIsTheRegistry(t *testing.T) {
	text := scrape(t, full())
	var registered []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (runner_\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		registered = append(registered, m[1]+" "+m[2])
	}
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(runner_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1]+" "+m[2])
	}
	slices.Sort(registered)
	slices.Sort(documented)
	if len(registered) < 20 || !slices.Equal(registered, documented) {
		t.Errorf("registered are\n%s\ndocumented are\n%s", strings.Join(registered, "\n"), strings.Join(documented, "\n"))
	}
	rules, err := os.ReadFile("../examples/metrics/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`runner_\w+`).FindAllString(string(rules), -1) {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !strings.Contains(text, "# TYPE "+name+" ") && !strings.Contains(text, "# TYPE "+base+" histogram") {
			t.Errorf("alerts.yml names %s, which there is not", name)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	m := New()
	for i := range 3 * MaxProjects {
		m.Build(fmt.Sprint("p", i), "FAILED", fmt.Sprint("forged", i), time.Second)
		m.Job("FAILED", fmt.Sprint("forged", i))
	}
	if n := testutil.CollectAndCount(m.builds); n != MaxProjects+1 {
		t.Errorf("%d series of builds, want %d", n, MaxProjects+1)
	}
	if n := testutil.CollectAndCount(m.jobs); n != 1 {
		t.Errorf("%d series of jobs, want one", n)
	}
	if text := scrape(t, m); !strings.Contains(text, `runner_builds_total{project="other",reason="other",status="FAILED"} 200`) {
		t.Error("what has no series of its own is not counted together")
	}
}
