package faces

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/runner-ci/runner/client"
)

// left is a project whose one build passes and leaves what a page can show: a report with a script, an image, text, JUnit and coverage.
var left struct {
	once  sync.Once
	build client.Build
}

// hostile is a report that does what a report must not: read the reader's cookies and the API, and call home.
const hostile = `<!doctype html><html lang="en"><head><title>Report</title><link rel="stylesheet" href="css/report.css"></head>
<body><h1>Report of the job</h1><p id="said">no script ran</p><p id="api">the API was not asked</p><img id="own" src="../picture.svg" alt="own" width="20"><a href="more.html">more</a>
<script src="js/report.js"></script></body></html>`

const hostileScript = `document.getElementById("said").textContent = "origin " + self.origin;
let got = [];
try { got.push("cookie " + document.cookie); } catch { got.push("no cookies"); }
try { got.push("parent " + parent.document.title); } catch { got.push("no parent"); }
try { got.push("storage " + localStorage.length); } catch { got.push("no storage"); }
fetch("/api/v1/builds").then(r => got.push("api " + r.status), () => got.push("no api"))
  .then(() => fetch("js/report.js")).then(r => got.push("own files"), () => got.push("no own files"))
  .then(() => { document.getElementById("api").textContent = got.join(", "); });
`

func theLeft(t testing.TB) client.Build {
	t.Helper()
	w := daemon(t)
	left.once.Do(func() {
		r := w.project(t, "left", map[string]string{
			"report/index.html": hostile, "report/js/report.js": hostileScript, "report/css/report.css": "h1 { color: rgb(1, 2, 3) }\n",
			"report/more.html": "<!doctype html><title>More</title><p>more of the report</p>",
			"picture.svg":      `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>document.title="ran"</script><circle cx="20" cy="20" r="18" fill="teal"/></svg>`,
			"notes.txt":        "first line\n<b>no markup</b>\n",
			"unit.xml":         `<testsuites><testsuite name="store"><testcase classname="store" name="opens" time="0.1"/><testcase classname="store" name="shuts" time="0.2"/></testsuite></testsuites>`,
			"cover.info":       "TN:\nSF:store/open.go\nDA:1,1\nDA:2,0\nDA:3,1\nLF:3\nLH:2\nend_of_record\n",
			"buildspec.yml": `version: 0.2
env: {image: '` + image + `'}
phases:
  build:
    commands:
      - printf '\033[32mall is well\033[0m\n'; head -c 300 /dev/zero >zeros.bin
artifacts:
  files: ['report/**/*', picture.svg, notes.txt, zeros.bin]
reports:
  unit: {files: [unit.xml]}
  cover: {files: [cover.info], file-format: LCOV}
`,
		}, nil)
		left.build = w.ended(t, r.push(), "SUCCEEDED")
	})
	if left.build.ID == "" {
		t.Fatal("the build of project left could not be made, as another story has told")
	}
	return left.build
}

func TestTheGreenBuild(t *testing.T) {
	t.Parallel()
	theLeft(t)
	p := look(t).as(admin).open("/projects/left/builds/1")
	p.has("Passed", "2 tests", "66.7 % of 3 lines", "all is well", "Artifacts", "Reports")
	if !strings.HasPrefix(value[string](p, `document.title`), "Passed: left#1") {
		t.Error("the title of the window does not tell the status")
	}
	p.everyLook("build-green")
}

func TestARedBuildSaysWhatBroke(t *testing.T) {
	t.Parallel()
	r, _, red := theAPI(t)
	p := look(t).as(admin).open("/projects/api/builds/2")
	p.has("Failed", "1 test failed", "First broken by", r.head[:7], "a change", "got the token of orders", "run it", "api#1 passed")
	if got := value[string](p, `document.querySelector("link[rel=icon]").href`); !strings.Contains(got, "icon-bad") {
		t.Errorf("the icon of a red build is %s", got)
	}
	p.everyLook("build-red")
	p.press("j")
	if got := value[string](p, `document.activeElement.closest("[data-row]").id`); !strings.HasPrefix(got, "t-") {
		t.Errorf("j goes to %q, not to the first failure", got)
	}
	if p.count(".lane") < 5 || p.count(".graph a") != 3 {
		t.Errorf("%d lanes and %d nodes of a build of %d shards", p.count(".lane"), p.count(".graph a"), len(red.Jobs))
	}
	p.press("?")
	p.has("these keys", "rerun with changes")
	p.press("\x1b")
	p.click(".tabs a:nth-child(2)")
	p.has("Log of")
	p.click(".fail a[href*='q=']")
	p.until("the log is at a line of the test that failed", `/^1 of [1-9]/.test(document.getElementById("log-found").textContent)`)
	p.sound()
}

// shape is a batch in which one job fails, two wait for it in vain and others go on.
const shape = `version: 0.2
env: {image: '` + image + `'}
batch:
  fast-fail: false
  build-graph:
    - {identifier: compile}
    - {identifier: lint, depend-on: [compile], ignore-failure: true, env: {variables: {FAIL: "3"}}}
    - {identifier: unit, depend-on: [compile]}
    - {identifier: docs, depend-on: [compile], env: {variables: {FAIL: "7"}}}
    - {identifier: publish, depend-on: [docs, unit]}
phases:
  pre_build:
    commands:
      - echo preparing $CODEBUILD_BATCH_BUILD_IDENTIFIER
  build:
    commands:
      - sleep 0.2
      - echo "checking links"; if [ -n "$FAIL" ]; then printf '\033[1;31mbroken link\033[0m in index.md\n'; exit $FAIL; fi
`

func TestAGraphWhoseJobFailed(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	r := w.project(t, "shape", map[string]string{"buildspec.yml": shape}, nil)
	w.ended(t, r.push(), "FAILED")
	p := look(t).as(admin).open("/projects/shape/builds/1")
	p.has("Failed", "a command in BUILD ended with status 7", "broken link in index.md", "1 job did not start because of that", "no earlier build here passed", "Decided by", "runner explain shape#1")
	if p.count(".graph a") != 5 || p.count(".graph .edge") != 5 {
		t.Errorf("the graph has %d jobs and %d edges", p.count(".graph a"), p.count(".graph .edge"))
	}
	p.until("a shell can be opened in the job that failed", `document.querySelector("button[data-copy='runner shell shape#1 --at failed --job docs'], button[data-copy='runner shell shape#1 --at failed --job lint']")`)
	p.everyLook("build-graph")
	p.click("a[href$='/times']")
	p.has("Times of shape#1", "echo preparing", "PRE_BUILD")
	p.everyLook("build-times")
	p.open("/projects/shape/builds/1")
	p.click("button[data-key=r]")
	p.has("retry of shape#1")
	w.ended(t, "shape#2", "FAILED")
	p.open("/projects/shape/builds/2")
	p.has("Failing since shape#1", "2 builds in a row")
	p.sound()
}

func TestABuildThatRunsIsLiveAndStops(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	r := w.project(t, "endless", map[string]string{"buildspec.yml": endless}, nil)
	id := r.push()
	w.reaches(t, id, "it prints", func(b client.Build) bool { return len(b.Jobs) == 1 && b.Jobs[0].Phase == "BUILD" })
	p := look(t).as(admin).open("/projects/endless/builds/1")
	p.has("Running", "line 35") // more than the box at the end has room for, so that it only scrolls
	wide := `parseFloat(document.querySelector(".bars rect[data-grows].run").getAttribute("width"))`
	before := value[float64](p, wide)
	value[int](p, `(window.shifted = 0, new PerformanceObserver(list => { for (const e of list.getEntries()) shifted += e.value; }).observe({type: "layout-shift"}), 0)`)
	shown := value[string](p, `[...document.querySelectorAll("#tail .l")].at(-1).textContent`)
	p.until("the end of the log is live, without an event of the build", `[...document.querySelectorAll("#tail .l")].at(-1).textContent !== `+quoted(shown))
	p.until("the bar of what runs grows", fmt.Sprintf("%s > %v", wide, before))
	if shifted := value[float64](p, `shifted`); shifted > 0.01 {
		t.Errorf("what runs moves the page: by %v", shifted)
	}
	p.everyLook("build-running")
	p.press("s")
	p.has("Stopped")
	w.ended(t, id, "STOPPED")
	p.until("the icon tells that it does not run", `!document.querySelector("link[rel=icon]").href.includes("busy")`)
	p.sound()
}

func TestARerunWithChanges(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	r := w.project(t, "rerun", map[string]string{"buildspec.yml": "version: 0.2\nenv: {image: '" + image + "'}\nphases:\n  build:\n    commands:\n      - echo \"target $TARGET dry $DRY_RUN extra $EXTRA\"; test \"$TARGET\" = staging\n"}, func(p *client.Project) {
		p.BuildParameters = map[string]client.ParameterSetting{
			"target": {Type: "choice", Options: []string{"staging", "production"}, Default: "production", Description: "where it goes"}, "dry-run": {Type: "boolean", Default: "true"},
		}
	})
	w.ended(t, r.push(), "FAILED")
	p := look(t).as(admin).open("/projects/rerun/builds/1")
	p.click("a[data-key=e]")
	p.has("Rerun rerun#1 with changes", "where it goes")
	p.everyLook("build-rerun")
	value[string](p, `document.querySelector("[name='param.target']").value = "staging"`)
	p.run(chromedp.SendKeys(chromedp.CSS("#env"), "EXTRA=yes"))
	p.click("form.start button.main")
	p.has("started by hand")
	w.ended(t, "rerun#2", "SUCCEEDED")
	p.open("/projects/rerun/builds/2")
	p.has("target staging dry true extra yes", "started by hand")
	p.open("/projects/rerun/builds/2/rerun")
	p.run(chromedp.SendKeys(chromedp.CSS("#env"), "no variable"))
	p.click("form.start button.main")
	p.has("line 1 of the variables is no NAME=value: no variable")
	p.forgive()
}

func TestArtifactsAreShownAndReachNothing(t *testing.T) {
	t.Parallel()
	theLeft(t)
	p := look(t).as(admin).open("/projects/left/builds/1/artifacts")
	p.until("the report is framed", `document.querySelector("iframe")`)
	p.everyLook("artifacts")
	p.open("/projects/left/builds/1/artifacts?job=build&artifact=-&path=notes.txt")
	p.has("<b>no markup</b>")
	p.open("/projects/left/builds/1/artifacts?job=build&artifact=-&path=zeros.bin")
	p.has("this is no text")
	p.open("/projects/left/builds/1/artifacts?job=build&artifact=-&path=picture.svg")
	p.until("the picture is there", `document.querySelector(".picture img").naturalWidth > 0 && document.title.startsWith("Artifacts")`)
	p.open("/projects/left/builds/1/artifacts?job=build&reports=true&path=0%2Funit.xml")
	p.has("opens", "shuts", "passed")
	p.sound()

	// The same report in a window of its own.
	p.open("/projects/left/builds/1/artifacts")
	alone := value[string](p, `document.querySelector("iframe").getAttribute("src")`)
	if got := value[string](p, fmt.Sprintf(`fetch(%s).then(r => "answered " + r.status, e => "failed")`, quoted(alone))); got != "answered 404" {
		t.Errorf("a script of a page of ours loads a report: %s", got)
	}
	p.forgive()
	p.open(alone)
	p.has("origin null", "no api", "own files", "no storage", "no cookies")
	if got := value[string](p, `getComputedStyle(document.querySelector("h1")).color`); got != "rgb(1, 2, 3)" {
		t.Errorf("the report has not its own sheet: its heading is %s", got)
	}
	p.forgive() // of what was refused
	p.click("a")
	p.has("more of the report")
	p.open(strings.Replace(alone, "/preview/", "/preview/A", 1))
	p.has("there is nothing here")
	p.forgive()
}

// reaches waits until a build is as it should be.
func (w *world) reaches(t testing.TB, id, what string, is func(client.Build) bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		b, err := w.Build(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if is(b) {
			return
		}
		if !b.Ended.IsZero() {
			break
		}
	}
	t.Fatalf("build %s never comes to this: %s", id, what)
}
