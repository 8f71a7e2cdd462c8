package faces

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds what a story waits for in a page.
const patience = 20 * time.Second

// chromium is one browser for all stories; each has a window of its own in it, with its own cookies.
var chromium struct {
	once  sync.Once
	ctx   context.Context
	close context.CancelFunc
	err   error
}

func browser(t testing.TB) context.Context {
	t.Helper()
	c := &chromium
	c.once.Do(func() {
		options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.Flag("lang", "en-US"))
		allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocated)
		c.ctx, c.close = ctx, func() { cancel(); stop() }
		c.err = chromedp.Do(ctx)
	})
	if c.err != nil {
		t.Fatalf("starting Chromium: %v", c.err)
	}
	return c.ctx
}

func closeBrowser() {
	if chromium.close != nil {
		chromium.close()
	}
}

// window is a window of the browser that looks at the world.
type window struct {
	t   testing.TB
	w   *world
	ctx context.Context
	at  string // path

	close context.CancelFunc // before the test ends, which does it, too

	mu       sync.Mutex
	troubles []string // what the browser complained about
}

// look opens a window of a stranger.
func look(t testing.TB) *window {
	t.Helper()
	w := daemon(t)
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &window{t: t, w: w, ctx: ctx, close: cancel}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	call(p, log.Enable, cdp.Empty{})
	p.wide()
	return p
}

// hear keeps what the browser complains about: refusals of the page's policy, scripts that failed, files that are not there.
func (p *window) hear(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *page.EventJavascriptDialogOpening: // whoever is asked says yes
		go func() {
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
	if text != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.troubles = append(p.troubles, text)
	}
}

// sound fails on what the browser complained about since it was asked before.
func (p *window) sound() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.troubles {
		p.t.Errorf("%s: the browser complains: %s", p.at, text)
	}
	p.troubles = nil
}

// forgive forgets complaints, for stories in which there have to be some: a page that answers 404, say.
func (p *window) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = nil
}

// run runs actions, which together may take as long as patience allows.
func (p *window) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v; the page has:\n%s", p.at, err, p.text())
	}
}

// call sends the browser one command of its protocol.
func call[P, R any](p *window, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	out, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.at, command.Method, err)
	}
	return out
}

// value is what an expression in the page comes to, a promise when it is kept.
func value[T any](p *window, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, func(e *runtime.EvaluateParams) { e.AwaitPromise = new(true) }))
	if err != nil {
		p.t.Fatalf("%s: %v in %s", p.at, err, expression[:min(len(expression), 300)])
	}
	return out
}

// admin is the daemon's own token; other tokens are made with the world's client.
const admin = ""

// as logs in with a token.
func (p *window) as(token string) *window {
	p.t.Helper()
	if token == admin {
		token = p.w.token
	}
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.Post(p.w.url+"/login", "application/json", strings.NewReader(string(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("the login was answered %d", res.StatusCode)
	}
	for _, c := range res.Cookies() {
		call(p, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.w.url, HTTPOnly: new(true), SameSite: network.CookieSameSiteLax})
	}
	return p
}

// open goes to a path and waits until the page and its scripts are there.
func (p *window) open(path string) *window {
	p.t.Helper()
	p.at = path
	p.run(chromedp.Navigate(p.w.url+path), chromedp.WaitReady(chromedp.CSS("body")))
	return p
}

// text is what the page says.
func (p *window) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return err.Error()
	}
	return out
}

// has waits until the page says all of it.
func (p *window) has(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(fmt.Sprintf("the page says %q", text), fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted(text)))
	}
}

// lacks waits until the page does not say it.
func (p *window) lacks(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page does not say %q", text), fmt.Sprintf(`!document.body.innerText.includes(%s)`, quoted(text)))
}

// until waits until an expression in the page holds.
func (p *window) until(what, expression string) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")) // an error is of a page that is going
		cancel()
		if err == nil && holds {
			return
		}
	}
	p.t.Fatalf("%s: it never comes to this: %s; the page says:\n%s", p.at, what, p.text())
}

// count is how many elements there are of a CSS selector.
func (p *window) count(selector string) int {
	p.t.Helper()
	return value[int](p, fmt.Sprintf(`document.querySelectorAll(%s).length`, quoted(selector)))
}

// click clicks the first element of a CSS selector that is visible.
func (p *window) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill puts a value into a field, as if it were typed.
func (p *window) fill(selector, text string) {
	p.t.Helper()
	p.run(chromedp.Focus(chromedp.CSS(selector)), discard(chromedp.Evaluate[int](fmt.Sprintf(`document.querySelector(%s).select(); 0`, quoted(selector)))),
		chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press types keys where the focus is.
func (p *window) press(keys string) {
	p.t.Helper()
	p.run(chromedp.KeyEvent(keys))
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a form in JSON
	}
	return string(out)
}

// scheme makes the window's colours light or dark.
func (p *window) scheme(name string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// wide makes it as wide as on a desk, narrow as on a phone.
func (p *window) wide()   { p.t.Helper(); p.size(1280, 900, false) }
func (p *window) narrow() { p.t.Helper(); p.size(390, 844, true) }

func (p *window) size(width, height int64, phone bool) {
	p.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
}

// withoutScripts switches scripts off.
func (p *window) withoutScripts() *window {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return p
}

// violation is one rule that axe-core found broken.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML string `json:"html"`
		Why  string `json:"failureSummary"`
	} `json:"nodes"`
}

// everyRule is what axe-core looks at: WCAG 2.2 AA, and what is good practice. rulesOfLooks are those rules whose findings depend on
// colours and on the width of the window.
const (
	everyRule    = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	rulesOfLooks = `{type: "rule", values: ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]}`
)

// accessible fails on what axe-core finds against rules and on content that is wider than the window.
func (p *window) accessible(look, rules string) {
	p.t.Helper()
	if !value[bool](p, `"axe" in window`) {
		p.run(discard(chromedp.Evaluate[int](axe + ";0")))
	}
	found := value[[]violation](p, `axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"]})
		.then(r => r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => ({html: n.html.slice(0, 300), failureSummary: n.failureSummary}))})))`)
	for _, v := range found {
		for _, n := range v.Nodes {
			p.t.Errorf("%s, %s: %s (%s): %s\n%s", p.at, look, v.Help, v.ID, n.HTML, n.Why)
		}
	}
	if wider := value[int](p, `document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth`); wider > 0 {
		p.t.Errorf("%s, %s: the page is %d px wider than its window", p.at, look, wider)
	}
}

func discard[T any](a chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := a(ctx, t)
		return err
	})
}

// looks are how each page is looked at. Two of them meet every rule of the sheet once; slow runs look at all.
var looks = []struct {
	scheme string
	phone  bool
	slow   bool
}{{"light", false, false}, {"dark", true, false}, {"dark", false, true}, {"light", true, true}}

// everyLook shows the page in each look; name is that of its pictures.
func (p *window) everyLook(name string) {
	p.t.Helper()
	pictures, rules := os.Getenv("RUNNER_SCREENSHOTS"), everyRule
	for _, l := range looks {
		if l.slow && pictures == "" && os.Getenv("RUNNER_SLOW") == "" {
			continue
		}
		look := l.scheme
		p.wide()
		if l.phone {
			look += "-phone"
			p.narrow()
		}
		p.scheme(l.scheme)
		p.accessible(look, rules)
		if os.Getenv("RUNNER_SLOW") == "" {
			rules = rulesOfLooks // of the others, one look has told
		}
		if pictures != "" {
			p.picture(filepath.Join(pictures, name+"-"+look+".png"))
		}
	}
	p.wide()
	p.scheme("light")
	p.sound()
}

// picture writes what the window shows, down to the end of the page but not without end.
func (p *window) picture(path string) {
	p.t.Helper()
	clip := &page.Viewport{Scale: 1, Width: value[float64](p, `innerWidth`), Height: value[float64](p, `Math.min(2400, document.documentElement.scrollHeight)`)}
	shot := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: clip, CaptureBeyondViewport: new(true)})
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
