package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	index = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	other = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

func payload(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kind(t testing.TB, name string) Kind {
	t.Helper()
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("there is no kind %s", name)
	}
	return Kinds[i]
}

func github(event string) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {event}}
}

func TestNotificationsBecomePushes(t *testing.T) {
	ghcr := Push{Host: "ghcr.io", Repository: "acme/app", Tag: "v1.2.0", Digest: index, Pusher: "ada"}
	for _, c := range []struct {
		kind, file string
		header     http.Header
		want       []Push
	}{
		// Of an index with two platforms: blobs, the platforms' manifests, the index with its tag; and a pull, a mount, a deletion.
		{"distribution", "distribution", nil, []Push{
			{Host: "registry.example.com:5000", Repository: "team/app", Tag: "v1.2.0", Digest: index, Pusher: "ada"},
			{Host: "registry.example.com:5000", Repository: "team/web", Tag: "latest", Digest: other},
		}},
		{"dockerhub", "dockerhub", nil, []Push{{Host: "docker.io", Repository: "acme/app", Tag: "v1.2.0", Pusher: "ada", Moment: "1790000000"}}},
		{"harbor", "harbor", nil, []Push{{Host: "harbor.example.com", Repository: "team/app", Tag: "v1.2.0", Digest: index, Pusher: "robot$ci"}}},
		{"harbor", "harbor_cloudevents", nil, []Push{{Host: "harbor.example.com", Repository: "team/app", Tag: "v1.2.0", Digest: index, Pusher: "robot$ci"}}},
		{"harbor", "harbor_delete", nil, nil},
		{"harbor", "harbor_untagged", nil, nil},
		{"quay", "quay", nil, []Push{{Host: "quay.io", Repository: "acme/app", Tag: "v1.2.0"}, {Host: "quay.io", Repository: "acme/app", Tag: "latest"}}},
		{"ghcr", "ghcr_package", github("package"), []Push{ghcr}},
		{"ghcr", "ghcr_registry_package", github("registry_package"), []Push{ghcr}},
		{"ghcr", "ghcr_package", github("ping"), nil},
		{"ghcr", "ghcr_npm", github("package"), nil},
		{"ghcr", "ghcr_platform", github("package"), nil}, // of an index: it has no tag
	} {
		got, err := kind(t, c.kind).Parse(c.header, payload(t, c.file))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %+v, %v, want %+v", c.kind, c.file, got, err, c.want)
		}
	}
}

func TestWhatIsNoNotificationIsAnErrorThatSaysWhy(t *testing.T) {
	event := func(target string) string {
		return `{"events":[{"action":"push","target":` + target + `,"request":{"host":"r.example.com"}}]}`
	}
	for _, c := range []struct{ kind, body, want string }{
		{"distribution", `{}`, "it has no events"},
		{"distribution", `[]`, "this is no notification of distribution: json"},
		{"distribution", event(`{"repository":"Team/App","tag":"x"}`), `"Team/App" is no repository`},
		{"distribution", event(`{"repository":"a","tag":"x y"}`), `"x y" is no tag`},
		{"distribution", event(`{"repository":"a","tag":"x$(id)"}`), `is no tag`},
		{"distribution", event(`{"repository":"a","tag":"x","digest":"sha256:zz"}`), `is no digest`},
		{"distribution", event(`{"repository":"../a","tag":"x"}`), `is no repository`},
		{"distribution", `{"events":[{"action":"push","target":{"repository":"a","tag":"x"},"request":{"host":"h/../x"}}]}`, `is no registry's address`},
		{"distribution", `{"events":[{"action":"push","target":{"repository":"a","tag":"x"},"actor":{"name":"\u001b[2J"}}]}`, `is no pusher`},
		{"dockerhub", `{"repository":{"repo_name":"a/b"}}`, "it has no push_data"},
		{"harbor", `{"event_data":{}}`, "it has no type"},
		{"quay", `{"updated_tags":["x"]}`, "it names no repository"},
		{"ghcr", `{}`, "content type"},
	} {
		got, err := kind(t, c.kind).Parse(nil, []byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %+v, %v, want %q", c.kind, c.body, got, err, c.want)
		}
	}
	many := `{"repository":"a/b","docker_url":"quay.io/a/b","updated_tags":["t` + strings.Join(strings.Fields(strings.Repeat("x ", 30)), `","t`) + `"]}`
	if got, err := kind(t, "quay").Parse(nil, []byte(many)); err != nil || len(got) != 1 {
		t.Errorf("one tag thirty times is %v, %v", got, err)
	}
	var tags []string
	for i := range 101 {
		tags = append(tags, `"t`+strings.Repeat("x", i)+`"`)
	}
	if _, err := kind(t, "quay").Parse(nil, []byte(`{"repository":"a/b","updated_tags":[`+strings.Join(tags, ",")+`]}`)); err == nil || !strings.Contains(err.Error(), "more than 100 pushes") {
		t.Errorf("101 tags: %v", err)
	}
}

func TestOnlyWhoKnowsTheSecretVerifies(t *testing.T) {
	body := []byte(`{}`)
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write(body)
	signed := http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
	authorized := func(value string) http.Header { return http.Header{"Authorization": {value}} }
	for _, c := range []struct {
		kind   string
		n      Notification
		secret string
		want   bool
	}{
		{"distribution", Notification{Header: authorized("Bearer secret")}, "secret", true},
		{"distribution", Notification{Header: authorized("secret")}, "secret", true},
		{"distribution", Notification{Header: authorized("Bearer secret")}, "Bearer secret", true},
		{"distribution", Notification{Header: authorized("Bearer secrets")}, "secret", false},
		{"distribution", Notification{Header: authorized("Bearer")}, "", false},
		{"distribution", Notification{Header: http.Header{}}, "", false},
		{"distribution", Notification{Header: http.Header{}, Secret: "secret"}, "secret", false},
		{"harbor", Notification{Header: authorized("secret")}, "secret", true},
		{"dockerhub", Notification{Secret: "secret"}, "secret", true},
		{"dockerhub", Notification{Secret: "secre"}, "secret", false},
		{"dockerhub", Notification{}, "", false},
		{"dockerhub", Notification{Header: authorized("Bearer secret")}, "secret", false},
		{"quay", Notification{Secret: "secret"}, "secret", true},
		{"ghcr", Notification{Header: signed, Body: body}, "secret", true},
		{"ghcr", Notification{Header: signed, Body: []byte(`{} `)}, "secret", false},
		{"ghcr", Notification{Header: authorized("Bearer secret"), Body: body, Secret: "secret"}, "secret", false},
	} {
		if got := kind(t, c.kind).Verify(c.n, []byte(c.secret)); got != c.want {
			t.Errorf("%s with %+v and secret %q: %v", c.kind, c.n, c.secret, got)
		}
	}
}

// FuzzParse reads the notifications of all registries; what gets through has the form of an image's name.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i := range Kinds {
			f.Add(i, "package", text)
		}
	}
	f.Fuzz(func(t *testing.T, which int, event string, body []byte) {
		k := Kinds[(which%len(Kinds)+len(Kinds))%len(Kinds)]
		pushes, err := k.Parse(github(event), body)
		if err != nil && len(pushes) > 0 || len(pushes) > maxPushes {
			t.Fatalf("%v and %d pushes", err, len(pushes))
		}
		for _, p := range pushes {
			if strings.ContainsAny(p.Image()+p.Tag+p.Digest, " $`\"'\\\n;&|") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
