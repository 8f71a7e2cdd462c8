package secrets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocalSecretsComeFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	text := "# of this machine\n\nexport TOKEN=abc # no comment\r\n/prod/db = 'it''s $HOME'\nkey=\"line\\none\\\\n\"\n" +
		`{"name": "with=sign", "value": "{\"user\":\"ann\"}"}` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := Memory{Values: values, Hint: "give it in a file"}
	for _, c := range []struct {
		ref  Ref
		want string
	}{
		{Ref{Name: "TOKEN"}, "abc # no comment"},
		{Ref{Name: "/prod/db"}, "it''s $HOME"},
		{Ref{Name: "arn:aws:ssm:r:a:parameter/prod/db"}, "it''s $HOME"},
		{Ref{Name: "key"}, "line\none\\n"},
		{Ref{Name: "with=sign", Key: "user"}, "ann"},
		{Ref{Name: "TOKEN", Stage: StagePrevious}, ""},
		{Ref{Name: "none"}, ""},
	} {
		got, err := m.Value(t.Context(), Subject{Fork: true}, c.ref)
		if got != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %q, %v", c.ref, got, err)
		}
	}
	if err := m.Check(t.Context(), Subject{}, Ref{Name: "none"}); !strings.Contains(err.Error(), "give it in a file") {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file for everybody to read: %v", err)
	}
}

func TestMistakesInAFileAreNamedWithoutValues(t *testing.T) {
	for text, want := range map[string]string{
		"a=1\nhunter2 hunter2":                   "f:2: expected NAME=VALUE",
		"a=1\na=hunter2":                         "f:2: a is there already",
		"a b=hunter2":                            "is no name",
		`a="hunter2`:                             "not closed",
		`{"name":"a"}`:                           "no JSON object",
		`{"name":"a","value":3`:                  "no JSON object",
		"a=" + strings.Repeat("hunter2", 10_000): "at most 65536",
		"a=hunter2\xff":                          "not UTF-8",
	} {
		if _, err := parseFile("f", text); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("A=b\n{\"name\":\"x\",\"value\":\"y\"}\n'")
	f.Add("a=\"\\\\n\\\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseFile("f", text)
		for name := range values {
			if err != nil || CheckName(name) != nil {
				t.Fatalf("%q, %v", name, err)
			}
		}
	})
}
