package faces

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

// shards is a build of eight jobs that share a suite. Together they print 2,000 lines a second, each command for a second, so that
// phases and commands change all the time, too.
func shards() map[string]string {
	var b strings.Builder
	b.WriteString("version: 0.2\nenv: {image: '" + image + "'}\nbatch:\n  fast-fail: false\n  build-fanout: {parallelism: 8}\nphases:\n  build:\n    commands:\n")
	b.WriteString("      - " + `awk 'BEGIN{for (n = 1; n <= 25; n++) printf "\033[32mok\033[0m   %04d internal/package/%d passed in %d ms\n", n, n % 97, n % 301}' > /tmp/lines` + "\n")
	for range 180 {
		b.WriteString("      - for i in 0 1 2 3 4 5 6 7 8 9; do cat /tmp/lines; usleep 100000; done\n")
	}
	return map[string]string{"buildspec.yml": b.String()}
}

// BenchmarkFigureBuildPage looks at the page of a build whose eight shards run.
func BenchmarkFigureBuildPage(b *testing.B) {
	slots = 8
	w := daemon(b)
	r := w.project(b, "shards", shards(), nil)
	id := r.push()
	defer func() {
		if _, err := w.Stop(b.Context(), id); err != nil {
			b.Error(err)
		}
		w.ended(b, id, "STOPPED")
	}()
	w.reaches(b, id, "all shards print", func(got client.Build) bool {
		n := 0
		for _, j := range got.Jobs {
			if j.Phase == "BUILD" {
				n++
			}
		}
		return n == 8
	})
	const path = "/projects/shards/builds/1"
	figures.Run(b, "build-page-bytes", "KiB", func(b *testing.B) (ours, theirs float64) {
		p := look(b).as(admin)
		call(p, network.Enable, network.EnableParams{})
		var received atomic.Int64
		if err := chromedp.Listen(p.ctx, func(event any) {
			if e, ok := event.(*network.EventLoadingFinished); ok {
				received.Add(int64(e.EncodedDataLength))
			}
		}); err != nil {
			b.Fatal(err)
		}
		p.open(path)
		p.until("all is there", `document.readyState === "complete"`)
		time.Sleep(300 * time.Millisecond) // for the icon, and less than what is asked for anew each second
		return float64(received.Load()) / 1024, 0
	})
	look(b).as(admin).open("/") // the browser of whoever opens the page runs already; of the page it has nothing
	painted := func(b *testing.B, path string) float64 {
		p := look(b).as(admin).open(path)
		defer p.close() // else the next would be painted beside a page that is live, too
		p.until("it is painted", `performance.getEntriesByName("first-contentful-paint").length`)
		return value[float64](p, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
	}
	figures.Run(b, "build-page-paint", "ms", func(b *testing.B) (ours, theirs float64) {
		return painted(b, path), painted(b, "/login") // a page of two sentences is as fast as the browser paints here
	})
	figures.Run(b, "build-page-longtask", "ms", func(b *testing.B) (ours, theirs float64) {
		p := look(b).as(admin).open(path)
		p.until("all is there", `document.readyState === "complete"`)
		before := value[string](p, `[...document.querySelectorAll("#tail .l")].at(-1).textContent`)
		most := value[float64](p, `new Promise(resolve => {
			let most = 0;
			new PerformanceObserver(list => { for (const e of list.getEntries()) most = Math.max(most, e.duration); }).observe({type: "longtask"});
			setTimeout(() => resolve(most), 10000);
		})`)
		if now := value[string](p, `[...document.querySelectorAll("#tail .l")].at(-1).textContent`); now == before {
			b.Error("the page was not live: its last line is still", now)
		}
		return most, 0
	})
}
