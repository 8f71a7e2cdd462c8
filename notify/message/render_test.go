package message

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var red = Message{
	Event: "failure", Project: "api", Build: "api#142", Status: "FAILED", Branch: "main", Ref: "refs/heads/main",
	Commit: "0123456789abcdef", Title: "Round half to even", Author: "ada", Summary: "exit status 1 of `go vet`", Seconds: 61,
	URL: "https://ci.example.com/projects/api/builds/142", Was: "SUCCEEDED", WasBuild: "api#141",
	Failed: []Job{{Name: "lint", Status: "FAILED", Reason: "command_failed", Command: "go vet ./...", Message: "it ended with 1"}},
}

func TestWhatIsSaidWithoutATemplate(t *testing.T) {
	got, err := red.Render("")
	const want = `api#142 failed on main: exit status 1 of ` + "`go vet`" + `
Round half to even (ada), commit 01234567

lint: FAILED (command_failed)
    go vet ./...
    it ended with 1

Before it: api#141 SUCCEEDED
https://ci.example.com/projects/api/builds/142`
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	green := Message{Event: "recovery", Build: "api#143", Tag: "v1", Ref: "refs/tags/v1", Summary: "passed in 3 s", URL: "https://x/"}
	if got, err := green.Render(""); err != nil || got != "api#143 works again on tag v1: passed in 3 s\n\nhttps://x/" {
		t.Errorf("got %v %q", err, got)
	}
	if got, err := red.Subject(""); err != nil || got != "[api] failed on main: exit status 1 of `go vet`" {
		t.Errorf("the subject is %q, %v", got, err)
	}
}

func TestTemplates(t *testing.T) {
	if got, err := red.Render("{{.Build}} {{.Short}} {{.Took}} {{.Where}}"); err != nil || got != "api#142 01234567 1m1s main" {
		t.Errorf("got %q, %v", got, err)
	}
	for name, text := range map[string]string{"a field": "{{.Nothing}}", "its form": "{{range}}"} {
		if err := Check(text); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	began := time.Now()
	if got, err := red.Render(`{{range $i, $x := .Failed}}{{printf "%100000d" $i}}{{end}}{{define "x"}}{{template "x" .}}{{end}}`); err != nil || len(got) > maxText {
		t.Errorf("a long text has %d bytes, %v, after %s", len(got), err, time.Since(began))
	}
	// A stranger's branch must not begin a header of its own.
	m := red
	m.Branch = "x\r\nBcc: all@example.com\u2028y"
	if got, err := m.Subject(""); err != nil || strings.ContainsAny(got, "\r\n\u2028") {
		t.Errorf("the subject is %q, %v", got, err)
	}
	m.Branch = strings.Repeat("ü", 400)
	if got, err := m.Subject(""); err != nil || len(got) > maxSubject || !strings.HasSuffix(got, "ü…") {
		t.Errorf("the subject has %d bytes: %q, %v", len(got), got, err)
	}
}
