package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/client"
)

func TestAProjectIsCalledLikeItsRepository(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string // "": an error
	}{
		{"", []string{"https://github.com/example/api.git"}, "api"},
		{"", []string{"git@github.com:example/web.site.git"}, "web-site"},
		{"", []string{"git@host:tool"}, "tool"},
		{"", []string{"https://github.com/example/api/"}, "api"},
		{"docs", []string{"https://github.com/example/api.git"}, "docs"},
		{"", []string{"docs", "https://github.com/example/api.git"}, "docs"},
		{"docs", []string{"docs", "https://github.com/example/api.git"}, "docs"},
		{"other", []string{"docs", "https://github.com/example/api.git"}, ""},
		{"", []string{"https://github.com/example/a"}, ""},
		{"", []string{"https://github.com/example/..."}, ""},
	} {
		p := client.Project{Name: c.name}
		if err := named(&p, c.args); (err == nil) != (c.want != "") || c.want != "" && (p.Name != c.want || p.URL != c.args[len(c.args)-1]) {
			t.Errorf("--name %q %q: %q, %v; want %q", c.name, c.args, p.Name, err, c.want)
		}
	}
}

func TestSetChangesWhatIsNamedAlone(t *testing.T) {
	was := client.Project{
		Name: "api", URL: "https://example.com/a/api.git", Image: "golang:1.25", Env: map[string]string{"A": "1", "B": "2"}, Protected: []string{"main"},
		CPUs: 2, MemoryBytes: 1 << 30, TimeoutSec: 60, Depth: 5, Submodules: true, Webhook: "auto", Poll: "1m", Priority: 3,
	}
	for _, c := range []struct {
		args []string
		want func(p *client.Project)
	}{
		{nil, func(*client.Project) {}},
		{[]string{"--image", "golang:1.26", "--poll", "30s"}, func(p *client.Project) { p.Image, p.Poll = "golang:1.26", "30s" }},
		{[]string{"--image", "", "--depth", "0", "--submodules=false"}, func(p *client.Project) { p.Image, p.Depth, p.Submodules = "", 0, false }},
		{[]string{"-e", "B=3", "-e", "C=4"}, func(p *client.Project) { p.Env = map[string]string{"A": "1", "B": "3", "C": "4"} }},
		{[]string{"--secrets-manager", "T=app/t"}, func(p *client.Project) { p.Secrets = map[string]string{"T": "app/t"} }},
		{[]string{"--protected", "main,release/*"}, func(p *client.Project) { p.Protected = []string{"main", "release/*"} }},
		{[]string{"--memory", "2GiB", "--timeout", "2m", "--cpus", "1.5"}, func(p *client.Project) { p.MemoryBytes, p.TimeoutSec, p.CPUs = 2<<30, 120, 1.5 }},
		{[]string{"--concurrency-limit", "2", "--skip-words", "off"}, func(p *client.Project) { p.Concurrency.Limit, p.SkipWords = 2, "off" }},
		{[]string{"--webhook", "off", "--forge-token", "env:T"}, func(p *client.Project) { p.Webhook, p.ForgeToken = "", "env:T" }},
	} {
		var written client.Project
		limits := newLimitFlags(&written)
		got := was
		cmd := &cobra.Command{Use: "set", RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limits.read(); err != nil {
				return err
			}
			laidOver(&got, &written, cmd.Flags(), limits)
			return nil
		}}
		projectFlags(cmd, &written)
		webhookFlag(cmd, &written, "")
		limits.add(cmd)
		cmd.SetArgs(c.args)
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		want := was
		c.want(&want)
		same := maps.Equal(got.Env, want.Env) && maps.Equal(got.Secrets, want.Secrets) && slices.Equal(got.Protected, want.Protected)
		got.Env, got.Secrets, got.Protected = nil, nil, nil
		want.Env, want.Secrets, want.Protected = nil, nil, nil
		if a, b := plain(got), plain(want); !same || a != b {
			t.Errorf("%q\n got %s\nwant %s", c.args, a, b)
		}
	}
	if was.Env["B"] != "2" {
		t.Error("what was there before is altered")
	}
}

// TestEveryFlagOfSetHasItsSetting: a flag that leads to no field of the project would do nothing.
func TestEveryFlagOfSetHasItsSetting(t *testing.T) {
	values := map[string]string{
		"env": "A=1", "parameter-store": "A=/b", "secrets-manager": "A=b", "protected": "main", "privileged": "true", "submodules": "true",
		"cpus": "1.5", "memory": "1GiB", "disk": "1GiB", "log": "1GiB", "artifacts": "1GiB", "cache": "1GiB", "reports": "1GiB", "timeout": "5m", "queue-timeout": "5m",
		"pids": "7", "files": "7", "jobs": "7", "max-jobs": "7", "priority": "7", "depth": "7",
		"cancel-superseded": "true", "green-age": "7d", "green-tags": "true", "push": "a.example=/b", "concurrency-limit": "2", "filters": "EVENT=PUSH",
	}
	var written client.Project
	cmd, limits := &cobra.Command{Use: "set", RunE: func(*cobra.Command, []string) error { return nil }}, newLimitFlags(&written)
	projectFlags(cmd, &written)
	webhookFlag(cmd, &written, "")
	limits.add(cmd)
	for _, name := range flagNames(cmd) {
		flags := cmd.Flags()
		value, ok := values[name]
		if !ok {
			value = "word"
		}
		if err := flags.Set(name, value); err != nil {
			t.Fatalf("--%s %s: %v", name, value, err)
		}
		if err := limits.read(); err != nil {
			t.Fatal(err)
		}
		var got client.Project
		laidOver(&got, &written, flags, limits)
		if plain(got) == plain(client.Project{}) && got.Env == nil && got.Parameters == nil && got.Secrets == nil && got.Protected == nil {
			t.Errorf("--%s leads to no setting", name)
		}
		flags.Lookup(name).Changed = false
		written = client.Project{}
	}
}

func plain(p client.Project) string {
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			names = append(names, f.Name)
		}
	})
	return names
}
