package message

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

const (
	// maxText bounds a rendered text in bytes. Slack takes 40,000 characters, and nobody reads so many.
	maxText = 16 << 10
	// maxSubject is the same of a subject.
	maxSubject = 250
)

// The templates where none is written.
const (
	DefaultText = `{{.Build}} {{.Verdict}}{{with .Where}} on {{.}}{{end}}: {{.Summary}}
{{with .Title}}{{.}}{{end}}{{with .Author}} ({{.}}){{end}}{{with .Commit}}, commit {{$.Short}}{{end}}
{{range .Failed}}
{{.Name}}: {{.Status}}{{with .Reason}} ({{.}}){{end}}{{with .Command}}
    {{.}}{{end}}{{with .Message}}
    {{.}}{{end}}
{{end}}{{with .WasBuild}}
Before it: {{.}} {{$.Was}}{{end}}
{{.URL}}
`
	DefaultSubject = `[{{.Project}}] {{.Verdict}}{{with .Where}} on {{.}}{{end}}: {{.Summary}}`
)

// sample is what templates are tried with before they are taken.
var sample = Message{
	Event: "failure", Project: "api", Build: "api#142", Number: 142, Status: "FAILED", Trigger: "push", Ref: "refs/heads/main",
	Branch: "main", Commit: strings.Repeat("0123456789", 4), Created: time.Unix(0, 0), Ended: time.Unix(60, 0), Seconds: 60,
	Was: "SUCCEEDED", WasBuild: "api#141", Failed: []Job{{Name: "build", Status: "FAILED"}},
}

// Check tells what is wrong with a template: its form, or a field that no message has.
func Check(text string) error {
	_, err := render(text, sample)
	return err
}

// ErrTemplate is wrapped by what a template is to blame for.
var ErrTemplate = errors.New("template")

// errTooLong ends a template that goes on and on.
var errTooLong = errors.New("it prints more than the 16 KiB that are sent")

func render(text string, m any) (string, error) {
	t, err := template.New("template").Parse(text)
	if err != nil {
		return "", fmt.Errorf("the %w cannot be read: %w", ErrTemplate, err)
	}
	out := &limited{left: maxText}
	if err := t.Execute(out, m); err != nil && !errors.Is(err, errTooLong) {
		return "", fmt.Errorf("the %w fails: %w", ErrTemplate, err)
	}
	return strings.ToValidUTF8(out.b.String(), "�"), nil
}

// limited takes so many bytes, then ends who writes.
type limited struct {
	b    bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.b.Write(p[:n])
	if l.left -= n; n < len(p) {
		return n, errTooLong
	}
	return n, nil
}

// Render is a message by a template, or by DefaultText; its error wraps ErrTemplate.
func (m Message) Render(t string) (string, error) {
	if t == "" {
		t = DefaultText
	}
	s, err := render(t, m)
	return strings.TrimSpace(tidy(s)), err
}

// tidy takes away more than one empty line in a row, which fields without a value leave.
func tidy(s string) string {
	for strings.Contains(s, "\n\n\n") {
		s = strings.ReplaceAll(s, "\n\n\n", "\n\n")
	}
	return s
}

// Subject is an email's, by a template, or by DefaultSubject. It is one line: a header must not be continued by what a stranger called their branch.
func (m Message) Subject(t string) (string, error) {
	if t == "" {
		t = DefaultSubject
	}
	s, err := render(t, m)
	if err != nil {
		return "", err
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
	return cut(strings.TrimSpace(s), maxSubject), nil
}

// cut shortens a text at a rune's edge.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := most - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
