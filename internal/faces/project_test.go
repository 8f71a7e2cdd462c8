package faces

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

func TestTheProjectPage(t *testing.T) {
	t.Parallel()
	_, green, red := theAPI(t)
	p := look(t).as(admin).open("/projects/api")
	p.has("api has been broken on main for", "failed: 1 test of 9", red.Title, "#1 passed before", "50 % of 2 builds passed", "Builds by day", "Slowest tests", "tests/t7_test.sh")
	p.everyLook("project")
	p.fill(`input[name=q]`, red.Commit[:8])
	p.click(`.filter button`)
	p.has("#2")
	p.lacks("Builds by day")
	if n := p.count(`table.builds tbody tr`); n != 1 {
		t.Errorf("a search for a commit lists %d builds", n)
	}
	p.open("/projects/api?status=SUCCEEDED&trigger=push&ref=main&author=ada")
	p.has("#1", green.Title, "Clear")
	p.open("/projects/api?ref=none")
	p.has("No build is all of that")
	p.sound()
	p.open("/projects/api?from=tuesday")
	p.has("this is no day: tuesday", "2026-03-31")
	p.forgive()
	p.open("/builds?q=api%232")
	p.has("api#2")
	p.everyLook("builds")
	p.withoutScripts().open("/projects/api")
	p.has("has been broken on main for")
}

func TestTheTestsPages(t *testing.T) {
	t.Parallel()
	_, _, red := theAPI(t)
	p := look(t).as(admin).open("/projects/api/tests")
	p.has("cache::tests/t7_test.sh", "1 of 2", "fails since api#2")
	p.everyLook("tests")
	p.open("/projects/api/tests?sort=failing&q=T7")
	p.has("t7_test.sh")
	p.lacks("t1_test.sh")
	p.open("/projects/api/tests?sort=flaky")
	p.has("No test was seen to be flaky")
	p.open("/projects/api/tests?sort=failing")
	p.click(`tbody a.mono`)
	p.has("Fails since api#2", red.Commit[:7], "got the token of orders", "Run it", "runner tests quarantine add")
	p.everyLook("test-history")
	p.open("/projects/api/tests/quarantine")
	p.has("No test is in quarantine", ".runner/quarantine.yml")
	p.everyLook("quarantine")
	p.open("/projects/api/builds/2/tests")
	p.has("all 9", "failed 1", "unit", "got the token of orders")
	p.everyLook("build-tests")
	p.click(`.choices a[href*="status=FAILED"]`)
	p.lacks("t1_test.sh")
	p.has("t7_test.sh")
	p.sound()
}

// parameters are those of a project whose builds are started by hand.
func parameters(p *client.Project) {
	least := 1.0
	p.BuildParameters = map[string]client.ParameterSetting{
		"target": {Type: "choice", Options: []string{"staging", "production"}, Default: "staging", Description: "where it is brought to"},
		"count":  {Type: "number", Min: &least, Required: true}, "dry-run": {Type: "boolean", Default: "true"}, "note": {Pattern: "[a-z]*"},
	}
	p.Schedules = []client.ScheduleSetting{{Name: "nightly", Cron: "0 3 * * *", Timezone: "Europe/Berlin", Parameters: map[string]string{"count": "3"}}}
	p.Env = map[string]string{"LEVEL": "3"}
}

func TestABuildIsStartedByHand(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	files := map[string]string{"buildspec.yml": "version: 0.2\nenv: {image: '" + image + "'}\nphases:\n  build:\n    commands:\n      - sleep 3; mkdir -p kept; echo \"$TARGET $COUNT\" > kept/x\ncache:\n  paths: ['kept/**/*']\n"}
	w.project(t, "ledger", files, parameters)
	p := look(t).as(admin).open("/projects/ledger")
	p.has("Nothing of ledger was built on main yet", "Nothing was built yet", "runner submit", "No tests were seen yet")
	p.everyLook("project-empty")
	for path, says := range map[string]string{
		"caches": "No job of ledger left a cache", "tests": "No test of ledger has a history yet", "schedules": "nightly", "settings": "LEVEL",
	} {
		p.open("/projects/ledger/" + path)
		p.has(says)
		p.everyLook("project-" + path)
	}
	p.open("/projects/ledger/start")
	p.everyLook("start")
	p.fill(`input[name="param.count"]`, "2")
	p.run() // the form is as typed
	p.fill(`input[name=ref]`, "nowhere..")
	p.click(`form.start button`)
	p.has("ref nowhere.. is no name that git allows")
	p.forgive()
	if got := value[string](p, `document.querySelector('input[name="param.count"]').value`); got != "2" {
		t.Errorf("the form forgets what was typed: count is %q", got)
	}
	p.fill(`input[name=ref]`, "main")
	p.click(`form.start button`)
	p.until("the build's page is there", `location.pathname === "/projects/ledger/builds/1"`)
	p.open("/projects/ledger")
	p.has("ledger is built on main for the first time", "Running now")
	b := w.ended(t, "ledger#1", "SUCCEEDED")
	if got := b.Parameters; len(got) < 3 {
		t.Errorf("the build has the parameters %+v", got)
	}
	p.has("ledger passes on main", "by hand") // without being asked for again
	p.open("/projects/ledger/caches")
	p.has("1 cache", "all jobs", "not known yet")
	p.everyLook("caches")
	p.click(`button.danger`)
	p.has("No job of ledger left a cache")
	p.sound()
}

func TestAStrangerSeesOfAProjectWhatIsPublic(t *testing.T) {
	t.Parallel()
	w := daemon(t)
	files := map[string]string{"buildspec.yml": "version: 0.2\nenv: {image: '" + image + "'}\nphases: {build: {commands: [true]}}\n"}
	r := w.project(t, "open", files, func(p *client.Project) { p.Visibility = "public" })
	w.ended(t, r.push(), "SUCCEEDED")
	p := look(t).open("/projects/open")
	p.has("open passes on main", "#1")
	for _, hidden := range []string{"Settings", "Caches", "Start a build", "Webhook"} {
		if strings.Contains(p.text(), hidden) {
			t.Errorf("a stranger is offered %s", hidden)
		}
	}
	p.everyLook("project-public")
	p.open("/builds")
	p.has("open#1")
	p.lacks("api#")
	for _, path := range []string{"/projects/open/settings", "/projects/open/tests", "/projects/open/caches", "/projects/open/start", "/projects/open/schedules", "/projects/none"} {
		p.open(path)
		p.has("Log in")
		if got := value[string](p, `location.pathname`); got != "/login" {
			t.Errorf("%s leads a stranger to %s", path, got)
		}
	}
}
