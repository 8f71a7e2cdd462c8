package faces

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

const million = "version: 0.2\nenv: {image: '" + image + "'}\nphases:\n  build:\n    commands:\n      - " +
	`awk 'BEGIN{for (n = 1; n <= 1000000; n++) printf "%07d ok internal/package/%d passed in %d ms\n", n, n % 977, n % 3001}'` + "\n"

// BenchmarkFigureLogPage opens the log of a million lines, goes to its end and wanders about in it.
func BenchmarkFigureLogPage(b *testing.B) {
	w := daemon(b)
	r := w.project(b, "million", map[string]string{"buildspec.yml": million}, nil)
	w.ended(b, r.push(), "SUCCEEDED")
	const path = "/projects/million/builds/1/log"
	open := func(b *testing.B) *window {
		p := look(b).as(admin)
		p.openLog(path)
		return p
	}
	figures.Run(b, "log-page-paint", "ms", func(b *testing.B) (ours, theirs float64) {
		p := open(b)
		return value[float64](p, `performance.getEntriesByName("first-contentful-paint")[0].startTime`), 0
	})
	figures.Run(b, "log-page-end", "ms", func(b *testing.B) (ours, theirs float64) {
		p := open(b)
		p.press("z") // and back: nothing is folded
		p.press("z")
		value[int](p, `(document.getElementById("log").dispatchEvent(new KeyboardEvent("keydown", {key: "Home", bubbles: true})), 0)`)
		p.until("the beginning is shown", lineShown("Phase is DOWNLOAD_SOURCE"))
		return value[float64](p, `new Promise(resolve => {
			const began = performance.now(), box = document.getElementById("log");
			box.scrollTop = box.scrollHeight;
			const look = () => [...document.querySelectorAll("#log .l")].some(l => l.innerText.includes("1000000 ok")) ? resolve(performance.now() - began) : requestAnimationFrame(look);
			look();
		})`), 0
	})
	figures.Run(b, "log-page-memory", "MiB", func(b *testing.B) (ours, theirs float64) {
		p := open(b)
		for i := range 60 {
			value[int](p, fmt.Sprintf(`new Promise(resolve => { const box = document.getElementById("log"); box.scrollTop = box.scrollHeight * %d / 60; setTimeout(() => resolve(0), 60); })`, i*37%60))
		}
		p.until("what is looked at is there", `document.querySelector("#log .l:not(.wait)")`)
		return p.memory(), 0
	})
}

// memory is the private memory of the page's process, the largest of those that draw pages, in MiB.
func (p *window) memory() (most float64) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(chromium.ctx, patience)
	defer cancel()
	all, err := chromedp.CallBrowser(ctx, systeminfo.GetProcessInfo, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, process := range all.ProcessInfo {
		if process.Type == "renderer" {
			most = max(most, anonymous(p.t, int(process.ID)))
		}
	}
	return most
}

// anonymous is RssAnon of a process in MiB.
func anonymous(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatalf("process %d does not tell its memory", pid)
	return 0
}

// cpu is how many seconds of a core a process has used.
func cpu(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return (user + system) / 100
}

// flood prints 2,000 lines a second.
const flood = "version: 0.2\nenv: {image: '" + image + "'}\nphases:\n  build:\n    commands:\n      - " +
	`awk 'BEGIN{for (n = 1; n <= 200; n++) printf "%04d ok internal/package/%d passed in %d ms\n", n, n % 97, n % 301}' > /tmp/lines; while true; do cat /tmp/lines; usleep 100000; done` + "\n"

// BenchmarkFigureLogWatchers has 200 people watch one live log: cores that the daemon uses meanwhile, and memory that it has more.
func BenchmarkFigureLogWatchers(b *testing.B) {
	w := daemon(b)
	r := w.project(b, "flood", map[string]string{"buildspec.yml": flood}, nil)
	id := r.push()
	defer w.Stop(context.WithoutCancel(b.Context()), id)
	for w.linesOf(b, id) < 2000 {
		time.Sleep(50 * time.Millisecond)
	}
	const watchers, took = 200, 10 * time.Second
	var more float64
	figures.Run(b, "log-watchers", "cores", func(b *testing.B) (ours, theirs float64) {
		pid := w.cmd.Process.Pid
		before := anonymous(b, pid)
		ctx, cancel := context.WithCancel(b.Context())
		var all sync.WaitGroup
		lines := make([]int, watchers)
		for i := range watchers {
			all.Go(func() { lines[i] = w.countLines(ctx, id) })
		}
		time.Sleep(2 * time.Second) // they come
		from, used := w.linesOf(b, id), cpu(b, pid)
		time.Sleep(took)
		// Of a machine that is busy with other things the job prints less: what counts is what 2,000 lines a second cost.
		used, came := cpu(b, pid)-used, w.linesOf(b, id)-from
		ours = used / (float64(came) / 2000)
		b.Logf("%d lines came in %v, for %.2f s of a core", came, took, used)
		more = anonymous(b, pid) - before
		cancel()
		all.Wait()
		for i, n := range lines {
			if n < 50 {
				b.Errorf("watcher %d saw %d events", i, n)
			}
		}
		return ours, 0
	})
	figures.Run(b, "log-watchers-memory", "MiB", func(*testing.B) (ours, theirs float64) { return max(0, more), 0 })
}

// linesOf is how many lines the log of a build has.
func (w *world) linesOf(t testing.TB, id string) int64 {
	t.Helper()
	l, err := w.LogLines(t.Context(), id, client.LogPlace{}, client.LineRange{From: -1})
	if err != nil {
		t.Fatal(err)
	}
	return l.Total
}

// countLines watches a log as a browser does, from its end on, and counts the events.
func (w *world) countLines(ctx context.Context, id string) (events int) {
	l, err := w.LogLines(ctx, id, client.LogPlace{}, client.LineRange{From: -1})
	if err != nil {
		return 0
	}
	project, number, _ := client.SplitBuildID(id)
	req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/api/v1/builds/%s/%d/log/events?offset=%d", w.url, project, number, l.Next), nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	text := bufio.NewReaderSize(res.Body, 64<<10)
	for {
		line, err := text.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return events
		}
		if strings.HasPrefix(string(line[:min(len(line), 6)]), "event:") {
			events++
		}
	}
}
