package faces

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/runner-ci/runner/client"
)

// chatty is a buildspec whose log has colours, a progress bar, tricks, thousands of lines, and an end that is red.
const chatty = `version: 0.2
env: {image: '` + image + `'}
phases:
  install:
    commands:
      - |
        n=0; while [ $n -lt 3000 ]; do n=$((n+1)); echo "installed package $n of 3000"; done
  build:
    commands:
      - |
        printf 'compiling\033[1;32m ok\033[0m in \033[38;5;208m2 s\033[0m\n'
        printf '[=   ] %s\r[==  ] %s\r[====] %s\n' '25 '% '50 '% '100 '%
        printf '<img src=x onerror="document.title=1">\033]8;;%s:alert(1)\033\\link\033]8;;\033\\\033[2J\n' javascript
      - |
        echo 'ok   token/issue'; printf '\033[31mFAIL token/audience: got the token of orders\033[0m\n'; exit 1
    finally:
      - echo cleaning up
`

// logs is a project with one build that failed, and printed much.
var logs struct {
	once  sync.Once
	build client.Build
}

func theLog(t testing.TB) client.Build {
	t.Helper()
	w := daemon(t)
	logs.once.Do(func() {
		r := w.project(t, "logs", map[string]string{"buildspec.yml": chatty}, nil)
		logs.build = w.ended(t, r.push(), "FAILED")
	})
	if logs.build.ID == "" {
		t.Fatal("the build of project logs could not be made, as another story has told")
	}
	return logs.build
}

// openLog opens the page of a log, and waits until its script has begun.
func (p *window) openLog(path string) {
	p.t.Helper()
	p.open(path)
	p.until("the log is there", `document.querySelector("#log[data-ready] .sheet .l:not(.wait)")`)
}

// lineShown is whether a line can be seen in the box of the log.
func lineShown(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#log .l")].some(l => { const a = l.getBoundingClientRect(), b = document.getElementById("log").getBoundingClientRect(); return l.innerText.includes(%s) && a.top >= b.top - 21 && a.bottom <= b.bottom + 21; })`, quoted(text))
}

const logPage = "/projects/logs/builds/1/log"

func TestTheLogOfARedBuild(t *testing.T) {
	t.Parallel()
	theLog(t)
	p := look(t).as(admin)
	p.openLog(logPage)
	p.has("FAIL token/audience: got the token of orders", "cleaning up")
	p.everyLook("log")
}

func TestALogIsSearched(t *testing.T) {
	t.Parallel()
	theLog(t)
	p := look(t).as(admin)
	p.openLog(logPage)
	p.press("/")
	p.until("the field has the focus", `document.activeElement.id === "log-q"`)
	value[int](p, `(document.activeElement.value = "", 0)`) // the driver types the key even though the page took it
	p.press("PACKAGE 15")
	p.press("\r")
	p.until("all are counted", `document.getElementById("log-found").innerText === "1 of 111"`)
	p.until("the first is shown", lineShown("installed package 15 of 3000"))
	p.click("#log-next")
	p.until("the second is shown", lineShown("installed package 150 of 3000"))
	p.click("#log-prev")
	p.click("#log-prev")
	p.until("the last is shown", lineShown("installed package 1599 of 3000"))
	value[int](p, `(document.getElementById("log-q").value = "(", 0)`)
	p.click("input[name=regexp]")
	p.has("missing closing )")
	p.forgive() // the browser tells of the 422
}

func TestALogIsLinkedByLine(t *testing.T) {
	t.Parallel()
	b := theLog(t)
	found, err := daemon(t).SearchLog(t.Context(), b.ID, client.LogPlace{}, client.LogSearch{Text: "installed package 2000 of"})
	if err != nil || len(found.Matches) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	line := found.Matches[0].Line
	p := look(t).as(admin)
	p.openLog(fmt.Sprintf("%s#L%d-L%d", logPage, line, line+2))
	p.until("the line is shown", lineShown("installed package 2000 of"))
	p.until("the range is marked", `document.querySelectorAll("#log .l.at").length === 3`)
	p.click(fmt.Sprintf("#L%d > a", line+5))
	p.until("the address has the line", fmt.Sprintf(`location.hash === "#L%d" && document.querySelectorAll("#log .l.at").length === 1`, line+5))
	p.sound()
}

func TestALogFoldsAndTellsTimes(t *testing.T) {
	t.Parallel()
	theLog(t)
	p := look(t).as(admin)
	p.openLog(logPage)
	p.until("what went well is folded", `[...document.querySelectorAll("#log .l.command > i")].some(i => i.innerText === "3,001 lines")`)
	p.click(`#log .l.command > button[aria-expanded=false]`)
	p.until("it is unfolded", lineShown("installed package 3 of 3000"))
	p.press("z")
	p.until("all is folded", `document.querySelectorAll("#log .l.command > i").length >= 3`)
	p.press("z")
	p.press("t")
	p.until("times are shown", `/^\d\d:\d\d:\d\d$/.test(document.querySelector("#log .l > time").innerText)`)
	p.press("w")
	p.until("lines are wrapped", `getComputedStyle(document.querySelector("#log .l > span")).whiteSpace.startsWith("pre-wrap")`)
	p.click("#log-outline a.command")
	p.until("the outline leads to its command", lineShown("n=0; while"))
	p.sound()
}

func TestALogWithoutScripts(t *testing.T) {
	t.Parallel()
	b := theLog(t)
	p := look(t).as(admin).withoutScripts().open(logPage)
	text := p.text()
	for _, want := range []string{"FAIL token/audience", "cleaning up", "Earlier lines", "2 s", "100 %"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, never := range []string{"25 %", "javascript:"} {
		if strings.Contains(text, never) {
			t.Errorf("the page says %q", never)
		}
	}
	p.open(logPage + "?q=package+15")
	if n := p.count("#log-matches .l"); n != 111 {
		t.Errorf("%d lines were found", n)
	}
	p.sound()
	raw, err := http.NewRequestWithContext(t.Context(), "GET", p.w.url+"/api/v1/builds/logs/1/log?attempt=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	raw.Header.Set("Authorization", "Bearer "+p.w.token)
	res, err := http.DefaultClient.Do(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if all, err := io.ReadAll(res.Body); err != nil || int64(len(all)) != b.Jobs[0].LogBytes {
		t.Errorf("the raw log has %d bytes, want %d: %v", len(all), b.Jobs[0].LogBytes, err)
	}
}

// TestALiveLogIsFollowed follows, scrolls up, and goes on following; then the connection breaks, and the build is stopped.
func TestALiveLogIsFollowed(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	r := w.project(t, "follow", map[string]string{"buildspec.yml": endless}, nil)
	id := r.push()
	// The browser goes through a proxy, whose connections can be cut.
	target, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	var resumed atomic.Int64
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.FlushInterval = -1
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-Id") != "" {
			resumed.Add(1)
		}
		pass.ServeHTTP(rw, r)
	}))
	t.Cleanup(proxy.Close)
	p := look(t).as(admin)
	p.at = "/projects/follow/builds/1/log"
	p.run(chromedp.Navigate(proxy.URL + p.at))
	p.until("the log is there", `document.querySelector("#log[data-ready] .sheet .l:not(.wait)")`)
	newest := `Number(/line (\d+)/.exec([...document.querySelectorAll("#log .l > span")].map(s => s.innerText).filter(s => /^line \d+$/.test(s)).pop() || "line 0")[1])`
	p.until("lines come", newest+" >= 60")
	p.until("it follows", `document.getElementById("log-follow").getAttribute("aria-pressed") === "true"`)
	value[int](p, `(document.getElementById("log").scrollTop -= 300, 0)`)
	p.until("it stops", `document.getElementById("log-follow").getAttribute("aria-pressed") === "false"`)
	before := value[int](p, newest)
	p.until("more lines have come", fmt.Sprintf(`Number(document.getElementById("log-total").innerText) > %d`, before+20))
	if after := value[int](p, newest); after > before+2 {
		t.Errorf("the reader scrolled up, and is taken from line %d to %d", before, after)
	}
	p.press("f")
	p.until("it follows again", fmt.Sprintf(`%s > %d`, newest, before+20))
	proxy.CloseClientConnections()
	p.until("the browser resumes, and lines go on", fmt.Sprintf(`%s > %d`, newest, before+60))
	if resumed.Load() == 0 {
		t.Error("the browser did not say what it had")
	}
	p.forgive() // it tells of the connection
	if _, err := w.Stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	p.until("the end is told", `document.getElementById("log-follow").innerText === "End" && document.getElementById("log-head").innerText.includes("stopped")`)
	gap := value[bool](p, `(() => { const n = [...document.querySelectorAll("#log .l > span")].map(s => /^line (\d+)$/.exec(s.innerText)).filter(Boolean).map(m => Number(m[1])); return n.some((x, i) => i && x !== n[i-1] + 1); })()`)
	if gap {
		t.Error("lines are missing, or come twice")
	}
	p.sound()
}
