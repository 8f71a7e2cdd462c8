package buildspec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestBooleans: both spellings count everywhere, in any case, quoted or not.
func TestBooleans(t *testing.T) {
	for text, want := range map[string]bool{
		"yes": true, "true": true, "Yes": true, "TRUE": true, `"yes"`: true, "'true'": true,
		"no": false, "false": false, "No": false, "False": false, "": false, "~": false,
	} {
		spec, err := Parse(DefaultFile, fmt.Appendf(nil,
			"version: 0.2\nartifacts: {files: [a], discard-paths: %[1]s}\nbatch: {fast-fail: %[1]s, build-fanout: {parallelism: 1, ignore-failure: %[1]s}}%[2]s",
			text, tail))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if a, b := spec.Artifacts, spec.Batch; a.DiscardPaths != want || b.FastFail != want || b.Fanout.IgnoreFailure != want {
			t.Errorf("%q is read as %v, %v, %v", text, a.DiscardPaths, b.FastFail, b.Fanout.IgnoreFailure)
		}
	}
}

// TestLineEnds: a byte order mark and the line ends of other systems change neither the plan nor a place.
func TestLineEnds(t *testing.T) {
	text := "version: 0.2\nenv: {image: alpine}\nphases:\n  build:\n    commands:\n      - |\n        one\n        two\n      - three\n"
	want, _ := outcome(t, []byte(text), Options{})
	for name, variant := range map[string]string{
		"CRLF": strings.ReplaceAll(text, "\n", "\r\n"),
		"CR":   strings.ReplaceAll(text, "\n", "\r"),
		"BOM":  "\xef\xbb\xbf" + text,
	} {
		got, problems := outcome(t, []byte(variant), Options{})
		if len(problems) > 0 || asJSON(t, got) != asJSON(t, want) {
			t.Errorf("%s: got %v\n%s", name, problems, asJSON(t, got))
		}
	}
}

// TestUTF16: what PowerShell's > writes is read like the same text in UTF-8, and told.
func TestUTF16(t *testing.T) {
	text := "version: 0.2\nphases:\n  build:\n    commands:\n      - echo größe \U0001F600\n      - make\n"
	want, _ := outcome(t, []byte(text), Options{})
	units := utf16.Encode([]rune(text))
	for name, c := range map[string]struct {
		order binary.AppendByteOrder
		mark  []uint16
	}{
		"little endian":               {binary.LittleEndian, []uint16{0xfeff}},
		"big endian":                  {binary.BigEndian, []uint16{0xfeff}},
		"little endian, mark missing": {binary.LittleEndian, nil},
		"big endian, mark missing":    {binary.BigEndian, nil},
	} {
		var data []byte
		for _, u := range slices.Concat(c.mark, units) {
			data = c.order.AppendUint16(data, u)
		}
		got, problems := outcome(t, data, Options{})
		if len(problems) != 1 || !strings.Contains(problems[0].Message, "UTF-16") || asJSON(t, got) != asJSON(t, want) {
			t.Errorf("%s: got %v\n%s", name, problems, asJSON(t, got))
		}
	}
}

// TestPlaces: the library's own lines and columns go astray in these.
func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		line, column int
	}{
		"after an escaped line end": {"version: 0.2\nenv: {variables: {A: \"x\\\n  y\"}}\nphases: {build: {commands: [{a: b}]}}\n", 4, 29},
		"after a tab":               {"version: 0.2\nphases:\n  build:\n    commands:\n      -\ta: b\n", 5, 9},
		"after wide characters":     {"version: 0.2\nphases: {build: {commands: [größe, {a: b}]}}\n", 2, 36},
		"after a block":             {"version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        x\n\n      - a: b\n", 8, 9},
		"after an empty item":       {"version: 0.2\nphases:\n  build:\n    commands:\n      - # nothing\n      - a: b\n", 6, 9},
		"behind an anchor":          {"version: 0.2\nphases:\n  build:\n    commands:\n      - &x a: b\n", 5, 9},
	} {
		_, err := Parse(DefaultFile, []byte(c.text))
		var failed *Error
		if !errors.As(err, &failed) {
			t.Errorf("%s: got %v, want an *Error", name, err)
			continue
		}
		if p := failed.Errors()[0]; p.Line != c.line || p.Column != c.column {
			t.Errorf("%s: told at %d:%d, stands at %d:%d\n%s", name, p.Line, p.Column, c.line, c.column, p)
		}
	}
}

// TestErrorHasWarningsToo: an error holds the warnings, and prints without them.
func TestErrorHasWarningsToo(t *testing.T) {
	_, err := Parse(DefaultFile, []byte("version: 0.2\ncolor: red\n\nphases: {build: {commands: [{a: b}]}}\n"))
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if len(failed.Problems) != 2 || len(failed.Errors()) != 1 || len(failed.Warnings()) != 1 {
		t.Errorf("got %d problems, %d errors, %d warnings; want 2, 1, 1",
			len(failed.Problems), len(failed.Errors()), len(failed.Warnings()))
	}
	if strings.Contains(err.Error(), "color") {
		t.Errorf("the error prints its warnings:\n%v", err)
	}
}

// TestNearest: what people write, and what they mean.
func TestNearest(t *testing.T) {
	keys := []string{"fast-fail", "build-fanout", "on-failure", "commands", "pre_build", "base-directory"}
	for word, want := range map[string]string{
		"fail-fast": "fast-fail", "fastFail": "fast-fail", "build_fanout": "build-fanout", "onfailure": "on-failure",
		"comands": "commands", "command": "commands", "cmomands": "commands", "prebuild": "pre_build",
		"basedirectory": "base-directory", "": "", "x": "", "steps": "", strings.Repeat("c", 1000): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

// TestABlockMayEndWithTheFile: what has no line end in the file has none in the command.
func TestABlockMayEndWithTheFile(t *testing.T) {
	const head = "version: 0.2\nphases:\n  build:\n    commands:\n      - "
	for block, want := range map[string]string{
		"|\n        a\n        b":    "a\nb",
		"|\n        a\n        b\n":  "a\nb\n",
		"|+\n        a\n        # b": "a\n# b",
		"|-\n        a":              "a",
		">\n        a\n        b":    "a b",
		"|\n        a\n      ":       "a\n",
		"|\n        \ta":             "\ta",
		">\n        \ta":             "\ta",
	} {
		spec, err := Parse(DefaultFile, []byte(head+block))
		if err != nil {
			t.Errorf("%q: %v", block, err)
			continue
		}
		if got := spec.Phases[2].Commands; len(got) != 1 || got[0].Text != want {
			t.Errorf("%q is read as %v, want %q", block, got, want)
		}
	}
}
