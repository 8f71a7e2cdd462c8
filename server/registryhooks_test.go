package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge/registry"
	"github.com/runner-ci/runner/scheduler"
)

const pushedDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// notification is a payload as a registry sends it; testdata of forge/registry holds them.
func notification(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "forge", "registry", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pushed is a project that is built when images are pushed.
func pushed(t *testing.T, name string, triggers ...config.RegistryTrigger) config.Project {
	t.Helper()
	p := project(name, apiURL)
	for _, trigger := range triggers {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(trigger.Secret), 0o600); err != nil {
			t.Fatal(err)
		}
		trigger.Secret = config.Secret("file:" + file)
		p.RegistryTriggers = append(p.RegistryTriggers, trigger)
	}
	return p
}

func (d *daemon) notify(path string, header http.Header, body []byte) (int, registryAnswer, string) {
	d.t.Helper()
	resp, text := d.send(http.MethodPost, path, header, body)
	var out registryAnswer
	if resp.StatusCode < 300 {
		if err := json.Unmarshal(text, &out); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
	return resp.StatusCode, out, string(text)
}

func authorization(value string) http.Header {
	return http.Header{"Authorization": {value}, "Content-Type": {"application/vnd.docker.distribution.events.v1+json"}}
}

func TestAPushedTagBuildsEachProjectThatItIsForOnce(t *testing.T) {
	d := newDaemon(t,
		pushed(t, "api", config.RegistryTrigger{Registry: "distribution", Repository: "team/*", Tag: "v*", Secret: "one", Ref: "main"}),
		pushed(t, "web", config.RegistryTrigger{Registry: "distribution", Repository: "team/web", Secret: "one"}),
		pushed(t, "own", config.RegistryTrigger{Registry: "distribution", Repository: "team/*", Secret: "one", IgnorePushers: []string{"ada"}}),
		pushed(t, "far", config.RegistryTrigger{Registry: "distribution", Repository: "*/*", Secret: "two"}),
		pushed(t, "hub", config.RegistryTrigger{Registry: "harbor", Repository: "*/*", Secret: "one"}),
	)
	status, out, text := d.notify("/hooks/registry/distribution", authorization("Bearer one"), notification(t, "distribution"))
	if status != http.StatusAccepted || len(out.Pushes) != 3 {
		t.Fatalf("%d %s", status, text)
	}
	var got []string
	for _, p := range out.Pushes {
		got = append(got, p.Project+" "+p.Image)
	}
	slices.Sort(got)
	const host = "registry.example.com:5000/"
	if want := []string{"api " + host + "team/app:v1.2.0", "own " + host + "team/web:latest", "web " + host + "team/web:latest"}; !slices.Equal(got, want) {
		t.Errorf("it starts %q, want %q", got, want)
	}
	i := slices.IndexFunc(out.Pushes, func(p pushAnswer) bool { return p.Project == "api" })
	tr, err := d.state.Scheduler.Trigger(out.Pushes[i].Trigger)
	want := scheduler.PushedImage{Registry: "distribution", Name: host + "team/app", Tag: "v1.2.0", Digest: pushedDigest}
	if err != nil || tr.Kind != scheduler.KindRegistry || tr.Image == nil || *tr.Image != want || tr.Ref != "refs/heads/main" || tr.Actor != "ada" {
		t.Errorf("the trigger is %+v, %v", tr, err)
	}
	// The registry repeats it; and later the same image gets another tag.
	_, again, _ := d.notify("/hooks/registry/distribution", authorization("Bearer one"), notification(t, "distribution"))
	retagged := strings.ReplaceAll(string(notification(t, "distribution")), "v1.2.0", "v1")
	_, other, _ := d.notify("/hooks/registry/distribution", authorization("Bearer one"), []byte(retagged))
	for _, p := range append(again.Pushes, other.Pushes...) {
		if !p.Again {
			t.Errorf("%+v is new", p)
		}
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 3 {
		t.Errorf("there are %d triggers, %v", len(page.Items), err)
	}
}

func TestEachKindOfRegistryStartsABuild(t *testing.T) {
	var triggers []config.RegistryTrigger
	for _, k := range registry.Kinds {
		triggers = append(triggers, config.RegistryTrigger{Registry: k.Name, Repository: "*/app", Tag: "v*", Secret: config.Secret("s-" + k.Name)})
	}
	for _, c := range []struct {
		path, file, image string
		header            http.Header
	}{
		{"distribution", "distribution", "registry.example.com:5000/team/app:v1.2.0", authorization("Bearer s-distribution")},
		{"dockerhub/s-dockerhub", "dockerhub", "docker.io/acme/app:v1.2.0", nil},
		{"harbor", "harbor", "harbor.example.com/team/app:v1.2.0", authorization("s-harbor")},
		{"quay/s-quay", "quay", "quay.io/acme/app:v1.2.0", nil},
		{"ghcr", "ghcr_package", "ghcr.io/acme/app:v1.2.0", nil},
	} {
		d := newDaemon(t, pushed(t, "api", triggers...)) // one digest is one build, so each has a daemon of its own
		body := notification(t, c.file)
		if c.path == "ghcr" {
			c.header = delivery("package", "d-1", "s-ghcr", body)
		}
		status, out, text := d.notify("/hooks/registry/"+c.path, c.header, body)
		if status != http.StatusAccepted || len(out.Pushes) != 1 || out.Pushes[0].Image != c.image {
			t.Errorf("%s: %d %s", c.path, status, text)
		}
		if log := d.log.String(); strings.Contains(log, "s-dockerhub") || strings.Contains(log, "s-quay") {
			t.Errorf("the log tells the secret:\n%s", log)
		}
	}
}

// TestASecretInAnAddressIsNotLogged: nor where the address is wrong.
func TestASecretInAnAddressIsNotLogged(t *testing.T) {
	d := newDaemon(t, pushed(t, "api", config.RegistryTrigger{Registry: "dockerhub", Repository: "*/*", Secret: "s3cret"}))
	for _, path := range []string{"/hooks/registry/dockerhub/s3cret", "/hooks/registry/hub/s3cret", "/hooks/registry/quay/s3cret/", "/ci/hooks/registry/dockerhub/s3cret"} {
		d.notify(path, nil, []byte("{}"))
	}
	if log := d.log.String(); strings.Contains(log, "s3cret") || !strings.Contains(log, "/ci/hooks/registry/dockerhub/…") {
		t.Errorf("the log says\n%s", log)
	}
}

func TestAProjectIsNotStartedByItsOwnPush(t *testing.T) {
	d := newDaemon(t, pushed(t, "api", config.RegistryTrigger{Registry: "distribution", Repository: "team/app", Secret: "one"}))
	d.state.pushing = "api#7"
	for range 2 { // the second time it is known
		_, out, text := d.notify("/hooks/registry/distribution", authorization("Bearer one"), notification(t, "distribution"))
		if len(out.Pushes) != 1 || out.Pushes[0].Outcome != "skipped" {
			t.Fatalf("the answer is %s", text)
		}
		tr, err := d.state.Trigger(out.Pushes[0].Trigger)
		if err != nil || !strings.Contains(tr.Reason, "api#7 of the project itself pushes registry.example.com:5000/team/app:v1.2.0") {
			t.Errorf("%+v, %v", tr, err)
		}
	}
}

func TestRefusedNotificationsAreAllTheSame(t *testing.T) {
	d := newDaemon(t, pushed(t, "api", config.RegistryTrigger{Registry: "distribution", Repository: "team/*", Secret: "one"},
		config.RegistryTrigger{Registry: "dockerhub", Repository: "*/*", Secret: "two"}))
	body := notification(t, "distribution")
	answers := make(map[string]bool)
	for _, c := range []struct {
		path   string
		header http.Header
		body   []byte
	}{
		{"distribution", authorization("Bearer two"), body},
		{"distribution", nil, body},
		{"distribution", authorization("Bearer "), []byte("{")},
		{"harbor", authorization("Bearer one"), body}, // of which there is no trigger
		{"dockerhub/one", nil, body},
		{"quay/two", nil, body},
		{"ghcr", authorization("Bearer one"), body},
	} {
		status, _, text := d.notify("/hooks/registry/"+c.path, c.header, c.body)
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", c.path, status, text)
		}
		answers[text] = true
	}
	if len(answers) != 1 {
		t.Errorf("strangers are told different things: %v", answers)
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 0 {
		t.Errorf("they left %v, %v", page.Items, err)
	}
}

func TestNotificationsAreBoundedAndSaidToBeWrongToThoseWhoKnowTheSecret(t *testing.T) {
	d := newDaemon(t, pushed(t, "api", config.RegistryTrigger{Registry: "distribution", Repository: "team/*", Secret: "one"}))
	status, _, text := d.notify("/hooks/registry/distribution", authorization("Bearer one"), []byte(`{"events":{}}`))
	if status != http.StatusBadRequest || !strings.Contains(text, "this is no notification of distribution") {
		t.Errorf("%d %s", status, text)
	}
	if status, _, text = d.notify("/hooks/registry/distribution", authorization("Bearer one"), make([]byte, maxNotification+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, text)
	}
	status, out, _ := d.notify("/hooks/registry/distribution", authorization("Bearer one"), []byte(`{"events":[]}`))
	if status != http.StatusAccepted || out.Outcome != "ignored" || out.Reason == "" {
		t.Errorf("%d %+v", status, out)
	}
}

func TestPushesWithoutADigestAreTheSameWithinAMinute(t *testing.T) {
	p := registry.Push{Host: "quay.io", Repository: "acme/app", Tag: "v1"}
	now := time.Date(2026, 3, 1, 10, 0, 5, 0, time.UTC)
	if a, b, c := momentOf(p, now), momentOf(p, now.Add(30*time.Second)), momentOf(p, now.Add(time.Minute)); a != b || a == c {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}

// FuzzNotification sends anything to all routes, with the right secret in all places.
func FuzzNotification(f *testing.F) {
	files, err := filepath.Glob("../forge/registry/testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, "registry_package", text)
	}
	p := project("api", apiURL)
	for _, k := range registry.Kinds {
		p.RegistryTriggers = append(p.RegistryTriggers, config.RegistryTrigger{Registry: k.Name, Repository: "*/*", Secret: "env:IGNORED"})
	}
	d := newFuzzDaemonOf(p)
	f.Fuzz(func(t *testing.T, which int, event string, body []byte) {
		k := registry.Kinds[(which%len(registry.Kinds)+len(registry.Kinds))%len(registry.Kinds)]
		path := "/hooks/registry/" + k.Name
		if k.Proof == registry.ByPath {
			path += "/one"
		}
		header := delivery("", "d", "one", body)
		header["X-Github-Event"] = []string{event}
		header.Set("Authorization", "Bearer one")
		switch w := d.serve(http.MethodPost, path, header, body); w.Code {
		case http.StatusAccepted, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
