package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
)

func TestMain(m *testing.M) { leak.Main(m) }

// vault keeps secrets in memory.
type vault struct {
	mu     sync.Mutex
	values map[string]string
	fails  error
}

func (v *vault) Own(_ context.Context, name string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if value, ok := v.values[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("%w: %s", secrets.ErrNotFound, name)
}

func (v *vault) SetOwn(_ context.Context, name, value, _ string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails == nil {
		v.values[name] = value
	}
	return v.fails
}

func (v *vault) RemoveOwn(_ context.Context, name, _ string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.values, name)
	return nil
}

// gitea is a double of Gitea's webhooks of one repository. Told to, it answers every request with a status.
type gitea struct {
	*httptest.Server
	mu     sync.Mutex
	hooks  map[string]map[string]any
	next   int
	asked  int
	fails  int
	down   bool // its proxy alone answers
	tested func(hook map[string]any)
}

func newGitea(t *testing.T) *gitea {
	g := &gitea{hooks: make(map[string]map[string]any)}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *gitea) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		http.Error(w, "no upstream", http.StatusBadGateway)
		return
	}
	if r.URL.Path == "/api/v1/version" {
		_, _ = w.Write([]byte(`{"version":"1.22.0"}`))
		return
	}
	id, ours := strings.CutPrefix(r.URL.Path, "/api/v1/repos/example/api/hooks")
	if !ours {
		http.NotFound(w, r)
		return
	}
	if g.asked++; g.fails != 0 {
		http.Error(w, `{"message":"not today"}`, g.fails)
		return
	}
	id = strings.TrimPrefix(id, "/")
	switch r.Method {
	case http.MethodGet:
		list := []map[string]any{}
		for _, h := range g.hooks {
			list = append(list, h)
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	case http.MethodDelete:
		delete(g.hooks, id)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if test, ok := strings.CutSuffix(id, "/tests"); ok {
		if g.tested != nil {
			g.tested(g.hooks[test])
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var h map[string]any
	_ = json.NewDecoder(r.Body).Decode(&h)
	if id == "" {
		g.next++
		id = fmt.Sprint(g.next)
	}
	h["id"] = json.Number(id)
	g.hooks[id] = h
	_, _ = w.Write([]byte("{}"))
}

// turn has nobody but the forge's proxy answer, or the forge again.
func (g *gitea) turn(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func (g *gitea) fail(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = status
}

// targets are the addresses that webhooks tell.
func (g *gitea) targets() (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hooks {
		out = append(out, h["config"].(map[string]any)["url"].(string))
	}
	slices.Sort(out)
	return out
}

// bench is a keeper with all that it needs.
type bench struct {
	*Keeper
	t     *testing.T
	rows  *scheduler.Scheduler
	vault *vault
	forge *gitea
	cfg   *config.Config
}

func newBench(t *testing.T, change ...func(p *config.Project)) *bench {
	b := &bench{t: t, forge: newGitea(t), vault: &vault{values: map[string]string{}}, cfg: config.Default()}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t0k"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := config.Project{Name: "api", URL: b.forge.URL + "/example/api.git", Webhook: config.WebhookAuto, Token: config.Secret("file:" + token)}
	for _, c := range change {
		c(&p)
	}
	b.cfg.Projects = []config.Project{p}
	log := slog.New(slog.DiscardHandler)
	rows, err := scheduler.Open(filepath.Join(t.TempDir(), "state.db"), b.cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	b.rows = rows
	b.restart()
	return b
}

// restart makes the keeper anew, as a start of the daemon does.
func (b *bench) restart() {
	b.Keeper = New(Options{
		Rows: b.rows, Vault: b.vault, URL: func() string { return "http://127.0.0.1:9" }, Client: http.DefaultClient,
		Wait: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
}

// pass does what the keeper does in the background, at a time.
func (b *bench) passAt(now time.Time) {
	b.t.Helper()
	var tasks activity.Registry
	tasks.Run("webhooks", "", func(t *activity.Task) {
		if err := b.Keeper.pass(b.t.Context(), t, now); err != nil {
			b.t.Fatal(err)
		}
	})
}

// answers has tests delivered, signed as the project wants it or refused.
func (b *bench) answers(projects ...string) {
	b.forge.tested = func(map[string]any) {
		b.rows.Note(scheduler.Received{Forge: "gitea", Event: "push", Repository: "Example/API", Projects: projects, Status: 200, Outcome: "pong"})
	}
}

const target = "http://127.0.0.1:9/hooks/gitea?project=api"

func (b *bench) connect() client.Webhook {
	b.t.Helper()
	out, err := b.Connect(b.t.Context(), "api")
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func TestConnectingRegistersAndTriesOut(t *testing.T) {
	b := newBench(t)
	b.answers("api")
	out := b.connect()
	if out.State != Registered || out.Problem != "" || out.Arrived == nil || out.Forge != "gitea" || out.Secret != "" {
		t.Errorf("connected: %+v", out)
	}
	secret, err := b.Secret(b.cfg.Projects[0].HookSecret())
	if err != nil || len(secret) < 40 {
		t.Errorf("the secret has %d bytes, %v", len(secret), err)
	}
	b.restart()
	if again := b.connect(); again.State != Registered || len(b.forge.targets()) != 1 {
		t.Errorf("connected again: %+v; webhooks %v", again, b.forge.targets())
	}
	if same, err := b.Secret(b.cfg.Projects[0].HookSecret()); err != nil || string(same) != string(secret) {
		t.Errorf("the secret changed (%v)", err)
	}
}

func TestADeliveryThatDoesNotArriveIsSaid(t *testing.T) {
	b := newBench(t)
	if out := b.connect(); out.State != Registered || !strings.Contains(out.Problem, "no delivery arrived") || !strings.Contains(out.Hint, "--poll") || !strings.Contains(out.Hint, "no commit yet") {
		t.Errorf("nothing arrives: %+v", out)
	}
	b.answers()
	if out := b.connect(); !strings.Contains(out.Problem, "was refused") {
		t.Errorf("it is refused: %+v", out)
	}
}

func TestWhatIsSaidWhenAWebhookCannotBeRegistered(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(p *config.Project)
		fails      int
		state      string
		problem    string
		withSecret bool
	}{
		"no token":             {func(p *config.Project) { p.Token = "" }, 0, ByHand, "there is no token", true},
		"no such token":        {func(p *config.Project) { p.Token = "file:/no/such/file" }, 0, ByHand, "/no/such/file", true},
		"a token that may not": {nil, http.StatusForbidden, ByHand, "403 Forbidden: not today", true},
		"a forge that is down": {nil, http.StatusBadGateway, Failed, "502", false},
		"a wrong forge":        {func(p *config.Project) { p.Forge = "gogs"; p.URL = strings.Replace(p.URL, "/example", "/nobody", 1) }, 0, ByHand, "404", true},
		"no repository":        {func(p *config.Project) { p.URL = strings.TrimSuffix(p.URL, "/api.git") }, 0, NoForge, "no address of a repository", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(p *config.Project) {
				if c.change != nil {
					c.change(p)
				}
			})
			b.forge.fail(c.fails)
			out := b.connect()
			if out.State != c.state || !strings.Contains(out.Problem, c.problem) || out.Hint == "" || (out.Secret != "") != c.withSecret {
				t.Errorf("%+v", out)
			}
			if out.Secret != "" && (out.Target == "" || len(out.Events) == 0 || out.ContentType != "application/json") {
				t.Errorf("it does not say what to enter: %+v", out)
			}
			if kept, err := b.Show("api"); err != nil || kept.State != c.state || kept.Secret != "" {
				t.Errorf("afterwards: %+v, %v", kept, err)
			}
		})
	}
}

func TestASecretThatWasEnteredByHandStays(t *testing.T) {
	b := newBench(t, func(p *config.Project) { p.Token = "" })
	first, second := b.connect(), b.connect()
	if first.Secret == "" || second.Secret == "" || first.Secret == second.Secret {
		t.Errorf("before a delivery: %q, %q; want two secrets", first.Secret, second.Secret)
	}
	b.rows.Note(scheduler.Received{Forge: "gitea", Projects: []string{"api"}})
	third := b.connect()
	if got, err := b.Secret(b.cfg.Projects[0].HookSecret()); err != nil || third.Secret != "" || third.Arrived == nil || string(got) != second.Secret {
		t.Errorf("after a delivery: %+v, %q, %v", third, got, err)
	}
}

func TestAForgeThatCannotReachUsIsNotAsked(t *testing.T) {
	for own, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true, "": true, "https://ci.example.com": false, "http://10.0.0.7": false,
	} {
		if got := unreachable(own, "https://api.github.com") != nil; got != want {
			t.Errorf("github cannot reach %q: %v", own, got)
		}
	}
	if unreachable("http://127.0.0.1:8080", "http://127.0.0.1:3000") != nil {
		t.Error("a forge of the same machine reaches it")
	}
}

func TestTheKeeperRegistersWhatSettingsAskFor(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	b.forge.fail(http.StatusServiceUnavailable)
	b.passAt(now)
	if w, err := b.rows.Webhook("api"); err != nil || w.State != Failed {
		t.Fatalf("while the forge is down: %+v, %v", w, err)
	}
	b.forge.fail(0)
	asked := b.forge.asked
	b.passAt(now.Add(time.Second))
	if b.forge.asked != asked {
		t.Error("a forge that was down a second ago was asked again")
	}
	b.passAt(now.Add(againAfter + time.Minute))
	if got := b.forge.targets(); !slices.Equal(got, []string{target}) {
		t.Fatalf("webhooks %v, want %s", got, target)
	}
	asked = b.forge.asked
	b.restart()
	b.passAt(now)
	if b.forge.asked != asked {
		t.Error("a webhook that was registered a moment ago was looked at again")
	}
}

func TestAWebhookThatSomebodyRemovedComesBackWithinADay(t *testing.T) {
	b := newBench(t)
	b.passAt(time.Now())
	b.forge.mu.Lock()
	clear(b.forge.hooks)
	b.forge.mu.Unlock()
	b.passAt(time.Now().Add(rightFor + time.Minute))
	if got := b.forge.targets(); !slices.Equal(got, []string{target}) {
		t.Errorf("webhooks %v", got)
	}
}

// TestADaemonThatDiedAfterTheForgeHadTheWebhookMakesNoSecond: the row that says so is what was lost.
func TestADaemonThatDiedAfterTheForgeHadTheWebhookMakesNoSecond(t *testing.T) {
	b := newBench(t)
	b.passAt(time.Now())
	if err := b.rows.ForgetWebhook("api"); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.passAt(time.Now())
	if got := b.forge.targets(); !slices.Equal(got, []string{target}) {
		t.Errorf("webhooks %v", got)
	}
}

func TestTheWebhookOfAProjectThatIsGoneIsRemoved(t *testing.T) {
	b := newBench(t)
	b.passAt(time.Now())
	without := config.Default()
	if err := b.rows.Configure(without); err != nil {
		t.Fatal(err)
	}
	b.forge.fail(http.StatusBadGateway)
	b.passAt(time.Now())
	if w, err := b.rows.Webhook("api"); err != nil || w.State != orphaned {
		t.Fatalf("while the forge is down: %+v, %v", w, err)
	}
	b.forge.fail(0)
	b.passAt(time.Now().Add(2 * againAfter))
	if got := b.forge.targets(); len(got) != 0 || len(b.vault.values) != 0 {
		t.Errorf("left are webhooks %v, and %d secrets", got, len(b.vault.values))
	}
	if _, err := b.rows.Webhook("api"); !errors.Is(err, scheduler.ErrNotFound) {
		t.Errorf("its row is left: %v", err)
	}
}

func TestDisconnecting(t *testing.T) {
	b := newBench(t)
	b.answers("api")
	b.connect()
	b.forge.fail(http.StatusForbidden)
	if out, err := b.Disconnect(t.Context(), "api"); err != nil || out.State != Failed || !strings.Contains(out.Hint, target) {
		t.Errorf("a forge that refuses: %+v, %v", out, err)
	}
	b.forge.fail(0)
	out, err := b.Disconnect(t.Context(), "api")
	if err != nil || out.State != None || len(out.Steps) != 1 || len(b.forge.targets()) != 0 {
		t.Errorf("disconnected: %+v, %v; webhooks %v", out, err, b.forge.targets())
	}
	if _, err := b.Secret(b.cfg.Projects[0].HookSecret()); err == nil {
		t.Error("its secret is still good")
	}
	if _, err := b.Disconnect(t.Context(), "nosuch"); !errors.Is(err, scheduler.ErrNotFound) {
		t.Errorf("no such project: %v", err)
	}
}

// TestAWebhookIsRemovedThoughTheForgeWasDownMeanwhile: not even which forge it is could be found out when it was looked at.
func TestAWebhookIsRemovedThoughTheForgeWasDownMeanwhile(t *testing.T) {
	b := newBench(t)
	b.answers("api")
	b.connect()
	b.forge.turn(true)
	if out := b.connect(); out.State != Failed || !strings.Contains(out.Problem, "502 Bad Gateway") {
		t.Errorf("while its proxy alone answers: %+v", out)
	}
	b.forge.turn(false)
	if out, err := b.Disconnect(t.Context(), "api"); err != nil || out.State != None || len(b.forge.targets()) != 0 {
		t.Errorf("disconnected: %+v, %v; webhooks %v", out, err, b.forge.targets())
	}
}

func TestAWebhookOfSomebodyElsesIsTriedOutAndLeftAlone(t *testing.T) {
	b := newBench(t, func(p *config.Project) { p.Webhook, p.WebhookSecret = "", "env:HOOK" })
	b.answers("api")
	if out := b.connect(); out.State != ByHand || !strings.Contains(out.Problem, "has no webhook") {
		t.Errorf("before there is one: %+v", out)
	}
	b.forge.hooks["7"] = map[string]any{"id": json.Number("7"), "active": true, "config": map[string]any{"url": "http://127.0.0.1:9/hooks/gitea"}}
	if out := b.connect(); out.State != Registered || out.Arrived == nil || len(b.forge.hooks) != 1 {
		t.Errorf("tried out: %+v", out)
	}
	if _, err := b.rows.Webhook("api"); !errors.Is(err, scheduler.ErrNotFound) {
		t.Errorf("it is kept: %v", err)
	}
}

func TestAStoreWithoutAKeyIsSaid(t *testing.T) {
	b := newBench(t)
	b.vault.fails = errors.New("no key")
	if out := b.connect(); out.State != Failed || !strings.Contains(out.Problem, "no key") || !strings.Contains(out.Hint, "webhook-secret") {
		t.Errorf("%+v", out)
	}
}
