package faces

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/runner-ci/runner/client"
)

// forked is the pull request of a stranger.
func forked(url, commit string) delivery {
	h := pushOf(url, "refs/heads/main", commit)
	side := func(name, owner string) map[string]any {
		r := repository(url)
		r["full_name"], r["owner"] = owner+"/repo", map[string]any{"login": owner}
		if owner != "acme" {
			r["id"], r["clone_url"] = 2, strings.Replace(url, "http://", "http://fork.", 1)
		}
		return map[string]any{"ref": name, "sha": commit, "repo": r}
	}
	h.event = "pull_request"
	h.payload = map[string]any{
		"action": "opened", "number": 7, "sender": map[string]any{"login": "mallory", "id": 9}, "repository": repository(url),
		"pull_request": map[string]any{
			"number": 7, "title": "Free coffee", "state": "open", "user": map[string]any{"login": "mallory", "id": 9},
			"base": side("main", "acme"), "head": side("coffee", "mallory"),
		},
	}
	return h
}

// busy is a project of which one build runs, one waits behind it and a stranger's pull request waits for a person.
func busy(t *testing.T, name string) (r *repo, runs, waits string) {
	t.Helper()
	w := daemon(t)
	r = w.project(t, name, map[string]string{"buildspec.yml": endless}, func(p *client.Project) { p.MaxJobs = 1; p.CancelSuperseded = "false" })
	runs = r.push()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // or the second may be planned before it
		if b, err := w.Build(t.Context(), runs); err == nil && len(b.Jobs) > 0 && b.Jobs[0].State == "leased" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("build %s does not begin", runs)
		}
	}
	r.commit("A second one", map[string]string{"second": "x"})
	waits = r.push()
	t.Cleanup(func() { // theirs are the slots of other stories
		for _, id := range []string{waits, runs} {
			_, _ = w.Stop(context.Background(), id)
		}
	})
	if status, answer := w.deliver(t, forked(r.url, r.head)); status != http.StatusAccepted {
		t.Fatalf("the pull request was answered %d: %s", status, answer)
	}
	return r, runs, waits
}

func TestHome(t *testing.T) {
	t.Parallel()
	theAPI(t)
	r, runs, waits := busy(t, "busy-home")
	p := look(t).as(admin).open("/")
	p.has("api has been broken on main for", "1 test failed: ", "First by", runs, waits, "waits for approval: Free coffee", "Projects")
	p.until("the second build waits in line", `[...document.querySelectorAll(".lane")].some(l => l.innerText.includes(`+quoted(waits)+`) && /max-jobs.*number 1 in line/.test(l.innerText))`)
	title := value[string](p, `(() => { const t = document.querySelector("main time[data-ago]"); t.dispatchEvent(new PointerEvent("pointerover", {bubbles: true})); return t.title; })()`)
	if !strings.Contains(title, strconv.Itoa(time.Now().Year())) {
		t.Errorf("whoever points at a time is told %q, not its date", title)
	}
	p.everyLook("home")

	// It finds projects as they are typed, and keeps what was typed while it stays live.
	p.fill("input[name=match]", "BUSY-h")
	p.until("the others are gone", `document.querySelectorAll(".projects tbody tr").length === 1 && location.search === "?match=BUSY-h"`)
	p.has(r.name)
	p.fill("input[name=match]", "no such project")
	p.has("No project that you may see has")

	// However long a name is, the page is as wide as its window.
	long := strings.Repeat("long-", 14) + "name"
	if err := p.w.PutProject(t.Context(), client.Project{Name: long, URL: r.url, Branch: "main", Poll: "off"}); err != nil {
		t.Fatal(err)
	}
	p.narrow()
	p.open("/?match=long-name")
	p.has(long)
	p.accessible("phone, a long name", rulesOfLooks)
	p.wide()

	// It is live: a build that ends goes from its lane without a reload.
	p.open("/")
	p.run(discard(chromedp.Evaluate[int](`window.stays = true; 0`)))
	if _, err := p.w.Stop(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	p.until("the lane is gone", fmt.Sprintf(`!document.getElementById(%s)`, quoted("lane-"+runs)))
	p.until("the next one runs", fmt.Sprintf(`document.getElementById(%s).querySelector("svg")`, quoted("lane-"+waits)))
	if !value[bool](p, `window.stays === true`) {
		t.Error("the page was loaded anew")
	}
	p.press("?")
	p.has("these keys", "find a project")
	p.withoutScripts().open("/?match=busy")
	p.has(r.name)
	p.sound()
}

func TestTheQueue(t *testing.T) {
	t.Parallel()
	r, runs, waits := busy(t, "busy-queue")
	reader, err := daemon(t).CreateToken(t.Context(), client.TokenRequest{Name: "queue-reader", Scope: "read", Projects: []string{r.name}})
	if err != nil {
		t.Fatal(err)
	}
	p := look(t).as(admin).open("/queue")
	p.has("Hold a slot", runs, "In line", waits, "Waits for a person", "Free coffee", "mallory")
	p.everyLook("queue")
	q := look(t).as(reader.Secret).open("/queue")
	q.has(runs, "an admin of busy-queue approves")
	if n := q.count("button.approve, button.drain"); n > 0 {
		t.Errorf("a reader is shown %d buttons that would be refused", n)
	}
	p.click(fmt.Sprintf(`tr:has(form[action*="/approve"]):has(td:first-child) form[action*="%s"] button`, approvalOf(t, r.name)))
	p.until("it waits no more", `!document.body.innerText.includes("busy-queue !7")`)
	p.sound()
}

// approvalOf is the trigger of a project that waits for a person.
func approvalOf(t *testing.T, project string) string {
	t.Helper()
	page, err := daemon(t).Triggers(t.Context(), client.ListOptions{Outcome: "waiting"})
	if err != nil {
		t.Fatal(err)
	}
	for _, trigger := range page.Items {
		if trigger.Projects[0] == project {
			return trigger.ID
		}
	}
	t.Fatalf("no trigger of %s waits", project)
	return ""
}

func TestWhatCameIn(t *testing.T) {
	t.Parallel()
	theAPI(t)
	p := look(t).as(admin).open("/triggers?outcome=built")
	p.has("api#1", "api#2", "built")
	p.everyLook("triggers")
	p.run(discard(chromedp.Evaluate[int](`document.querySelector("select[name=outcome]").value = "skipped"; document.querySelector("select[name=outcome]").dispatchEvent(new Event("input", {bubbles: true})); 0`)))
	p.until("the address says so", `location.search === "?outcome=skipped"`)
	p.open("/triggers?tab=deliveries")
	p.has("github", "push", "202")
	p.everyLook("deliveries")
	reader, err := daemon(t).CreateToken(t.Context(), client.TokenRequest{Name: "schedule-reader", Scope: "read", Projects: []string{"api"}})
	if err != nil {
		t.Fatal(err)
	}
	q := look(t).as(reader.Secret).open("/triggers?tab=schedules")
	q.has("No project has a schedule") // that this reader may see; other stories have some
	q.everyLook("schedules")
}

func TestTheStatusOfTheDaemon(t *testing.T) {
	t.Parallel()
	p := look(t).as(admin).open("/status")
	p.has("What each worker does", "dispatcher", "gives slots to jobs", "Engines", "yes", "free on the disk")
	p.everyLook("status")
	first := value[string](p, `document.getElementById("task-dispatcher").innerText`)
	p.until("it is live", `document.getElementById("task-dispatcher").innerText !== `+quoted(first))
	p.sound()
}

func TestTokensAndTheAuditLog(t *testing.T) {
	t.Parallel()
	p := look(t).as(admin).open("/tokens")
	p.has("Make one")
	p.fill("input[name=name]", "ada-of-faces")
	p.fill("input[name=projects]", "no-such-project")
	p.click(".make button")
	p.has("The token was not made", "no-such-project")
	if got := value[string](p, `document.querySelector("input[name=name]").value`); got != "ada-of-faces" {
		t.Errorf("what was typed is gone: %q", got)
	}
	p.fill("input[name=projects]", "*")
	p.forgive()
	p.click(".make button")
	p.has("Token ada-of-faces is made", "never shown again")
	secret := value[string](p, `document.querySelector(".verdict [data-copy]").dataset.copy`)
	p.everyLook("tokens")
	c := client.New(p.w.url, secret)
	if who, err := c.Whoami(t.Context()); err != nil || who.Name != "ada-of-faces" {
		t.Errorf("the secret that the page shows opens for %q: %v", who.Name, err)
	}
	p.open("/tokens")
	p.lacks(secret)
	p.click(`[aria-label="Revoke ada-of-faces"]`)
	p.until("it is revoked", `!document.querySelector('[aria-label="Revoke ada-of-faces"]')`)
	if _, err := c.Whoami(t.Context()); err == nil {
		t.Error("a revoked token opens something")
	}
	p.open("/audit?action=remove-token")
	p.has("revoked token ada-of-faces", "done")
	p.open("/audit?since=hour")
	p.has("made token ada-of-faces")
	p.everyLook("audit")
	p.fill("input[name=who]", "nobody-of-that-name")
	p.has("No record is like that")
	p.sound()
}

func TestLoggingInAndOut(t *testing.T) {
	t.Parallel()
	p := look(t).open("/queue")
	p.has("Log in", "Where is a token?")
	p.everyLook("login")
	p.fill("input[name=token]", "rt_WRONG")
	p.click("main button")
	p.has("This is no valid token.")
	p.forgive()
	p.fill("input[name=token]", p.w.token)
	p.click("main button")
	p.until("it goes where its visitor wanted to go", `location.pathname === "/queue"`)
	p.has("slots in use")
	p.open("/login")
	p.has("You are logged in as")
	p.everyLook("logged-in")
	p.click("main button")
	p.has("Where is a token?")
	p.open("/status")
	p.until("the session is over", `location.pathname === "/login"`)
	p.sound()
}

func TestTheKeysCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	p := look(t).as(admin).open("/queue")
	p.press("gs")
	p.until("g s goes to the status", `location.pathname === "/status" && document.readyState === "complete"`) // its keys are there
	p.press("?")
	p.until("the dialog is open", `document.getElementById("keys").open`)
	p.accessible("keys", everyRule)
	p.click("#keys-on")
	p.press("\x1b")
	p.until("it is closed", `!document.getElementById("keys").open`)
	p.press("gq")
	time.Sleep(300 * time.Millisecond)
	if at := value[string](p, `location.pathname`); at != "/status" {
		t.Errorf("switched off, g q still went to %s", at)
	}
}
