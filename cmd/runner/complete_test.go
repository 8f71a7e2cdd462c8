package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// daemonOfNames is a daemon with two builds. The titles are what somebody pushed.
func daemonOfNames(t *testing.T) {
	t.Helper()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	mux := http.NewServeMux()
	one := client.Build{ID: "api#12", Project: "api", Number: 12, Status: "FAILED", Title: "Share \x1b]0;pwned\x07audiences\nand more", Jobs: []client.Job{{ID: "linux", Name: "linux", Status: "FAILED"}, {ID: "$(reboot)", Name: "no"}}}
	mux.Handle("GET /api/v1/builds", answer(client.Page[client.Build]{Items: []client.Build{one, {ID: "api#11", Project: "api", Number: 11, Status: "SUCCEEDED", Title: strings.Repeat("long ", 50)}}}))
	mux.Handle("GET /api/v1/builds/api/12", answer(one))
	mux.Handle("GET /api/v1/projects", answer(client.Page[client.Project]{Items: []client.Project{{Name: "api", URL: "https://example.com/api.git"}}}))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Setenv("RUNNER_URL", srv.URL)
	t.Setenv("RUNNER_TOKEN", "rnr_test")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
}

func completed(t *testing.T, words ...string) string {
	t.Helper()
	out, err := exec.Command("runner", append([]string{"__complete"}, words...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestLiveNames(t *testing.T) {
	daemonOfNames(t)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"show", "api#12"}, "api#12\tFAILED Share audiences and more\n:36\n"},
		{[]string{"show", "api/12"}, "api/12\tFAILED Share audiences and more\n:36\n"},
		{[]string{"show", "api#12", ""}, ":4\n"},
		{[]string{"logs", "api#12", ""}, "linux\tFAILED linux\n:36\n"},
		{[]string{"diff", "api#11", "api#12", "--job", "l"}, "linux\tFAILED linux\n:36\n"},
		{[]string{"open", "api"}, "api#12\tFAILED Share audiences and more\napi#11\tSUCCEEDED " + strings.TrimSpace(strings.Repeat("long ", 50)[:49]) + "…\napi\thttps://example.com/api.git\n:36\n"},
		{[]string{"ls", "--project", ""}, "api\thttps://example.com/api.git\n:36\n"},
		{[]string{"ls", "--trigger", ""}, strings.Join(kinds, "\n") + "\n:4\n"},
		{[]string{"project", "set", "api", "--badge", ""}, "token\noff\n:4\n"},
		{[]string{"init", ""}, ":16\n"},
		{[]string{"ls", ""}, ":4\n"},
	} {
		if got := completed(t, c.words...); got != c.want {
			t.Errorf("%q: %q\nwant %q", c.words, got, c.want)
		}
	}
}

// TestCompletionInShells has the shells that are here complete a word with the scripts that are printed for them.
func TestCompletionInShells(t *testing.T) {
	daemonOfNames(t)
	for shell, script := range map[string]string{
		"bash": `compopt() { :; }; _get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }; __ltrim_colon_completions() { :; }
source <(runner completion bash); COMP_WORDS=(runner show ap); COMP_CWORD=2; COMP_LINE="runner show ap"; COMP_POINT=14; COMP_TYPE=9; __start_runner; printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `runner completion fish | source; complete -C "runner show ap"`,
		"zsh": `compdef() { :; }; source <(runner completion zsh); _describe() { print -rl -- "${completions[@]}" }
words=(runner show ap); CURRENT=3; _runner`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell + " is not installed")
			}
			flags := map[string][]string{"bash": {"--norc"}, "fish": {"--no-config"}, "zsh": {"-f"}}[shell]
			out, err := exec.Command(path, append(flags, "-c", script)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "api#12") || !strings.Contains(string(out), "api#11") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestCompletionDoesNotWait holds that a daemon which says nothing keeps nobody from typing on.
func TestCompletionDoesNotWait(t *testing.T) {
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	}))
	defer srv.Close()
	t.Setenv("RUNNER_URL", srv.URL)
	t.Setenv("RUNNER_TOKEN", "rnr_test")
	if got := completed(t, "show", "a"); got != ":36\n" {
		t.Errorf("%q", got)
	}
	<-gone
	if completeWait > time.Second {
		t.Errorf("somebody who types is kept waiting for %v", completeWait)
	}
}

func TestBuildNames(t *testing.T) {
	for arg, want := range map[string]buildName{
		"api#142": {"api", 142}, "api/142": {"api", 142}, "api": {"api", 0}, "142": {"", 142}, "#142": {"", 142}, "a.b-c": {"a.b-c", 0},
		"http://127.0.0.1:8080/projects/api/builds/142":               {"api", 142},
		"https://ci.example.com/base/projects/api/builds/142/log#L10": {"api", 142},
		"https://ci.example.com/projects/api/builds/142?job=linux":    {"api", 142},
		"https://ci.example.com/projects/my%20api/builds/1":           {"my api", 1},
		"https://ci.example.com/projects/api":                         {"api", 0},
		"https://ci.example.com/api/v1/builds/api/142/log":            {"api", 142},
		"https://ci.example.com/projects/builds/builds/7":             {"builds", 7},
	} {
		if got, err := readBuildName(arg); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", arg, got, err, want)
		}
	}
	for _, arg := range []string{"api#", "api#0", "api#x", "api/x", "#", "0x/1/2", "https://ci.example.com/", "https://ci.example.com/projects/api/builds/none", "http://%zz"} {
		if got, err := readBuildName(arg); err == nil {
			t.Errorf("%s: %+v", arg, got)
		}
	}
}

func TestOpener(t *testing.T) {
	for _, c := range []struct{ system, env, want string }{
		{"darwin", "", "open"}, {"windows", "", "rundll32"}, {"linux", "", ""}, {"linux", "DISPLAY", "xdg-open"}, {"freebsd", "WAYLAND_DISPLAY", "xdg-open"},
		{"linux", "BROWSER", "w3m"},
	} {
		got, _ := opener(c.system, func(name string) string {
			if name == c.env {
				return "w3m"
			}
			return ""
		})
		if got != c.want {
			t.Errorf("%s with %s: %q, want %q", c.system, c.env, got, c.want)
		}
	}
}

// TestManPagesEscape holds that no text of ours is taken for a command of the manual's language.
func TestManPagesEscape(t *testing.T) {
	for text, want := range map[string]string{
		".so /etc/passwd": `\&.so /etc/passwd`, `a\b`: `a\eb`, "--json": `\-\-json`, "it's": `it\(aqs`, "'quoted'": `\(aqquoted\(aq`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, cmd := range visible(newRoot(&app{})) {
		for i, line := range strings.Split(manPage(cmd), "\n") {
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".TH ") && !strings.HasPrefix(line, ".SH ") &&
				line != ".nf" && line != ".fi" && line != ".PP" && line != ".TP" && !strings.HasPrefix(line, ".B ") {
				t.Errorf("%s, line %d: %s", manName(cmd), i+1, fmt.Sprintf("%.60s", line))
			}
		}
	}
}
