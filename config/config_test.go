package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaultsStandWithoutAFile(t *testing.T) {
	c, err := Parse("runner.yml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8080" || c.URL != "http://127.0.0.1:8080" || c.Slots < 1 {
		t.Errorf("listen %q, url %q, slots %d", c.Listen, c.URL, c.Slots)
	}
	if len(c.Engines) != 1 || c.Engines[0].ID != "local" || c.Engines[0].Type != "docker" || c.Engines[0].Workspace != "auto" {
		t.Fatalf("engines %+v", c.Engines)
	}
	want := Limits{PIDs: 4096, DiskBytes: 50 << 30, Files: 5_000_000, Timeout: time.Hour, QueueTimeout: time.Hour, LogBytes: 1 << 30, ArtifactBytes: 8 << 30, CacheBytes: 10 << 30, ReportBytes: 256 << 20}
	if c.Limits != want {
		t.Errorf("limits %+v", c.Limits)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("an empty file and no file differ:\n%+v\n%+v", c, Default())
	}
}

func TestTheExampleLoads(t *testing.T) {
	c, err := Load("../examples/runner.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Projects) != 2 {
		t.Fatalf("%d projects, want 2", len(c.Projects))
	}
	api, site := c.Projects[0], c.Projects[1]
	if api.Buildspec != "buildspec.yml" || api.Pull != "if-not-present" || api.Env["GOFLAGS"] != "-mod=readonly" {
		t.Errorf("api: %+v", api)
	}
	if site.Limits.MemoryBytes != 2<<30 || site.Limits.Or(c.Limits).Timeout != 30*time.Minute {
		t.Errorf("website inherits wrongly: %+v", site.Limits.Or(c.Limits))
	}
	if c.Retention != (Retention{Age: 30 * 24 * time.Hour, Bytes: 50 << 30, CacheBytes: 20 << 30, Audit: DefaultAudit, Builds: BuildsKept{DefaultBuildsAge, DefaultBuildsNumber}}) {
		t.Errorf("retention %+v", c.Retention)
	}
}

// documentedKeys reads the tables of docs/configuration.md.
func documentedKeys(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z\\[\\].*-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// schemaKeys lists every key that the types have, as the documentation writes them.
func schemaKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("yaml")
		keys = append(keys, key)
		switch {
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, schemaKeys(f.Type, key+".")...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, schemaKeys(f.Type.Elem(), key+"[].")...)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, schemaKeys(f.Type.Elem(), key+".*.")...)
		}
	}
	return keys
}

func TestEveryKeyIsDocumented(t *testing.T) {
	documented, schema := documentedKeys(t), schemaKeys(reflect.TypeFor[Config](), "")
	for _, key := range schema {
		if !slices.Contains(documented, key) {
			t.Errorf("%s is not in docs/configuration.md", key)
		}
	}
	for _, key := range documented {
		if !slices.Contains(schema, key) {
			t.Errorf("docs/configuration.md describes %s, which does not exist", key)
		}
	}
}

// everyKey sets each key there is to a value that is not its default, but for files of a certificate, which exclude acme.
const everyKey = `
listen: :9000
url: https://ci.example.com/runner
tls: {acme: {hosts: [ci.example.com], email: a@example.com, directory: "https://ca.example.com/dir"}, redirect: ":80"}
trusted-proxies: [10.0.0.1]
access:
  session-age: 1h
  session-idle: 5m
  oidc:
    issuer: https://login.example.com
    client-id: runner
    client-secret: file:oidc
    scopes: [groups]
    name-claim: email
    groups-claim: roles
    roles: [{group: dev, scope: read, projects: [api]}]
data: state
slots: 3
metrics: {listen: "127.0.0.1:9464"}
telemetry: {otlp: {endpoint: "https://otel.example.com:4317", protocol: grpc, headers: {Authorization: "file:otel-token"}}}
engines:
  - {id: big, type: docker, host: "tcp://10.0.0.7:2376", network: ci, workspace: copy, runtime: runsc, seccomp: seccomp.json, no-new-privileges: true, mounts: [{source: /opt/go, target: /opt/go}]}
limits: &limits {cpus: 1.5, memory: 4GiB, pids: 100, disk: 3GiB, files: 5000, timeout: 90m, queue-timeout: 2h, log: 10MB, artifacts: 1g, cache: 2g, reports: 5MB, jobs: 50}
retry-faults: never
keep-failed: 2h
keep-failed-bytes: 3GiB
space: {floor: 7%}
retention: {age: 7d, bytes: 10GiB, caches: 5GiB, audit: 60d, builds: {age: 90d, number: 500}}
ca-bundle: ca.pem
proxy: {http: "http://p:1", https: "http://p:2", no: "localhost,.corp"}
registries: [{server: ghcr.io, username: bot, password: "env:GHCR"}]
images: {builder: "mirror.corp/docker:dind", state: 3GiB, untrusted: off}
image-aliases: {"golang:*": "mirror.corp/golang:*"}
allow-file-urls: true
source: {memory: 512MiB, timeout: 5m}
secrets: {key-file: key}
network: private
network-untrusted: none
smtp: {host: mail.example.com, port: 465, username: ci, password: "env:SMTP", from: "Runner <ci@example.com>", tls: tls}
notifications:
  - {name: team, on: [always], projects: ["web-*"], branches: [main], triggers: [push], slack: {url: "file:slack"}, template: "{{.Summary}}"}
  - {name: people, email: {to: [ada@example.com]}, subject: "{{.Build}}"}
projects:
  - name: api
    url: https://example.com/api.git
    branch: trunk
    buildspec: ci/b.yml
    image: golang:1.26
    pull: always
    env: {PYTHON: 3.10, DEBUG: yes, EMPTY: ""}
    parameter-store: {DB: /app/db}
    secrets-manager: {TOKEN: "app/npm:token"}
    push: {ghcr.io: ci/ghcr}
    webhook-secret: file:hook
    username: git
    token: env:TOKEN
    depth: 5
    submodules: true
    protected: [main, "release/*"]
    approval: all
    retry-faults: before-commands
    keep-failed: off
    network: private
    network-untrusted: none
    privileged: true
    visibility: public
    filters: [[{type: EVENT, pattern: PUSH}, {type: HEAD_REF, pattern: ^refs/heads/x$, exclude-matched-pattern: true}]]
    paths: [src/**]
    paths-ignore: ["**/*.md"]
    skip-words: off
    cancel-superseded: false
    concurrency: {group: "deploy-{branch}", limit: 2}
    limits: *limits
    max-jobs: 2
    priority: -5
    engine: big
    green-before-push: on
    green-from: [ada-laptop, "user:ben"]
    green-age: 3d
    green-tags: true
    parameters: {size: {type: number, default: 3, min: 1, max: 9}}
    schedules: [{name: nightly, cron: "30 2 * * 1-5", timezone: Europe/Berlin, jitter: 10m, missed: skip, ref: main, parameters: {size: 4}}]
    registry-triggers: [{registry: harbor, repository: "team/*", tag: "v*", secret: file:harbor, ref: main, ignore-pushers: [ci]}]
    status: {per: job, context: "ci/{project}"}
    comment: always
    forge: gitea
    forge-url: https://git.example.com
    forge-token: file:api
    webhook: auto
    poll: 30s
    notifications: [{name: hook, webhook: {url: "https://example.com/h", secret: "file:sign"}}]
  - {name: lib, url: "git@example.com:lib.git", ssh-key: "file:/k", known-hosts: "file:/h"}
`

func TestEveryKeyLoads(t *testing.T) {
	c, err := Parse("/etc/runner/runner.yml", []byte(everyKey))
	if err != nil {
		t.Fatal(err)
	}
	unset := unsetKeys(reflect.ValueOf(*c), "")
	for _, key := range unset {
		if !strings.HasPrefix(key, "projects[1].") && !strings.Contains(key, "notifications[") && key != "tls.certificate" && key != "tls.key" && key != "projects[0].ssh-key" && key != "projects[0].known-hosts" {
			t.Errorf("%s did not arrive", key)
		}
	}
	p := c.Projects[0]
	wanted := [][]Notification{{
		{Name: "team", On: []string{"always"}, For: []string{"web-*"}, Refs: []string{"main"}, Triggers: []string{"push"}, Slack: NotifySlack{"file:/etc/runner/slack"}, Template: "{{.Summary}}"},
		{Name: "people", Email: NotifyEmail{[]string{"ada@example.com"}}, Subject: "{{.Build}}"},
	}, {{Name: "hook", Webhook: NotifyWebhook{"https://example.com/h", "file:/etc/runner/sign"}}}}
	if got := [][]Notification{c.Notifications, p.Notifications}; !reflect.DeepEqual(got, wanted) {
		t.Errorf("notifications are %+v, want %+v", got, wanted)
	}
	if p.Env["PYTHON"] != "3.10" || p.Env["DEBUG"] != "yes" {
		t.Errorf("variables are not as written: %v", p.Env)
	}
	if p.Limits != c.Limits || p.Limits.LogBytes != 10_000_000 || p.Limits.ArtifactBytes != 1<<30 {
		t.Errorf("limits %+v", p.Limits)
	}
	if g := p.Filters; len(g) != 1 || len(g[0]) != 2 || !g[0][1].ExcludeMatchedPattern || g[0][1].Pattern != "^refs/heads/x$" {
		t.Errorf("filters %+v", g)
	}
	if p.HeedsSkipWords() || p.Cancels() || !c.Projects[1].HeedsSkipWords() || !c.Projects[1].Cancels() {
		t.Errorf("skip-words %q, cancel-superseded %q", p.SkipWords, p.CancelSuperseded)
	}
	if c.Telemetry.OTLP.Headers["Authorization"] != "file:/etc/runner/otel-token" {
		t.Errorf("headers %v", c.Telemetry.OTLP.Headers)
	}
	if got := p.RegistryTriggers[0].Secret; got != "file:/etc/runner/harbor" {
		t.Errorf("the secret of a registry trigger is %s", got)
	}
	if c.Data != "/etc/runner/state" || c.CABundle != "/etc/runner/ca.pem" || p.WebhookSecret != "file:/etc/runner/hook" {
		t.Errorf("paths are not relative to the file: %q %q %q", c.Data, c.CABundle, p.WebhookSecret)
	}
}

func unsetKeys(v reflect.Value, prefix string) []string {
	var keys []string
	for i := range v.NumField() {
		f, key := v.Field(i), prefix+v.Type().Field(i).Tag.Get("yaml")
		switch {
		case f.Kind() == reflect.Struct:
			keys = append(keys, unsetKeys(f, key+".")...)
		case f.IsZero():
			keys = append(keys, key)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				keys = append(keys, unsetKeys(f.Index(j), key+"["+string(rune('0'+j))+"].")...)
			}
		}
	}
	return keys
}

func TestLoadNamesTheFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "runner.yml")); err == nil || !strings.Contains(err.Error(), "there is no configuration file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: %v", err)
	}
}

func TestProjectCheckNamesFields(t *testing.T) {
	p := Project{Name: "x", URL: "file:///srv/git", Limits: Limits{PIDs: 1}, Token: "hunter2hunter2"}
	err := p.Check()
	var field *FieldError
	if !errors.As(err, &field) {
		t.Fatalf("no FieldError in %v", err)
	}
	for _, want := range []string{"name:", "url:", "limits.pids:", "token:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the secret is repeated: %v", err)
	}
	c := Default()
	c.AllowFileURLs = true
	good := Project{Name: "ok", URL: "file:///srv/git"}
	if err := c.CheckProject(&good); err != nil {
		t.Errorf("file:// was allowed: %v", err)
	}
	good.Engine = "locl"
	if err := c.CheckProject(&good); err == nil || !strings.Contains(err.Error(), `did you mean "local"?`) {
		t.Errorf("unknown engine: %v", err)
	}
}

func TestABuildspecMayStandInTheSettings(t *testing.T) {
	c, err := Parse("runner.yml", []byte("projects:\n  - name: api\n    url: https://example.com/api.git\n    buildspec: |\n      version: 0.2\n      phases: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Projects[0]; !p.InlineBuildspec() || p.Buildspec != "version: 0.2\nphases: {}\n" {
		t.Errorf("the buildspec is %q", p.Buildspec)
	}
}

func TestVariablesFromTheSecretStoreAreChecked(t *testing.T) {
	p := Project{
		Name: "api", URL: "https://example.com/api.git", Approval: "fork",
		Parameters: map[string]string{"CODEBUILD_X": "/a", "EMPTY": " ", "TWICE": "/a"},
		Secrets:    map[string]string{"TWICE": "app/db", "BAD": "app/db:key:AWSCURRENT:v1", "1X": "app"},
	}
	err := p.Check()
	for _, want := range []string{
		"parameter-store.CODEBUILD_X", "parameter-store.EMPTY", "secrets-manager.TWICE", "secrets-manager.BAD", "secrets-manager.1X",
		`did you mean "forks"?`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestPullRequestsThatWait(t *testing.T) {
	for policy, want := range map[string][2]bool{"": {false, true}, ApproveForks: {false, true}, ApproveAll: {true, true}, ApproveNone: {false, false}} {
		p := Project{Approval: policy}
		if got := [2]bool{p.NeedsApproval(false), p.NeedsApproval(true)}; got != want {
			t.Errorf("approval %q: own and fork wait: %v, want %v", policy, got, want)
		}
	}
}
