package buildspec

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const runtimesTable = `version: 0.1
runtimes:
  java:
    versions:
      corretto8: {commands: [java 8]}
      corretto17: {commands: [java 17]}
      default: {commands: ['apt-get install java-$VERSION']}
  android:
    versions:
      29:
        requires:
          java: [corretto8]
        commands: [android 29]
  python:
    versions:
      3.9: {commands: [python 3.9]}
      3.10:
        commands:
          - echo "Installing Python"
          - |-
            pyenv global
            python --version
      default: {commands: ['pyenv install $VERSION']}
  nodejs:
    versions:
      18: {commands: [node 18]}
      20.11: {commands: [node 20.11]}
      20.9: {commands: [node 20.9]}
  dotnet:
    versions:
      8.0: {commands: [dotnet 8]}
  empty:
  loop:
    versions:
      1: {requires: {pool: [1]}}
  pool:
    versions:
      1: {requires: {loop: [1]}}
`

func TestSelectRuntimes(t *testing.T) {
	for _, c := range []struct {
		want string // name=version …
		got  string // name=version:commands …, or what the error mentions
	}{
		{"python=3.10", `python=3.10:[echo "Installing Python" pyenv global\npython --version]`},
		{"python=latest", `python=3.10:[echo "Installing Python" pyenv global\npython --version]`},
		{"python=3.x nodejs=18", `python=3.10:[echo "Installing Python" pyenv global\npython --version] nodejs=18:[node 18]`},
		{"python=3.12.1", "python=3.12.1:[pyenv install $VERSION] VERSION=3.12.1"},
		{"python=4.x", "python=4:[pyenv install $VERSION] VERSION=4"},
		{"nodejs=20.x", "nodejs=20.11:[node 20.11]"},
		{"nodejs=18.x", "nodejs=18:[node 18]"},
		{"nodejs=latest", "nodejs=20.11:[node 20.11]"},
		{"java=corretto17", "java=corretto17:[java 17]"},
		{"java=latest", "java=corretto17:[java 17]"},
		{"java=corretto21", "java=21:[apt-get install java-$VERSION] VERSION=21"},
		{"dotnet=8", "dotnet=8.0:[dotnet 8]"},
		{"android=29", "java=corretto8:[java 8] android=29:[android 29]"},
		{"android=29 java=corretto8", "java=corretto8:[java 8] android=29:[android 29]"},
		{"", ""},

		{"android=29 java=corretto17", "exclude each other: android 29 needs java corretto8"},
		{"java=corretto17 android=29", "exclude each other"},
		{"pyhton=3.10", `no runtime "pyhton"; it has java, android, python, nodejs, dotnet, empty, loop, pool. Did you mean python?`},
		{"nodejs=16", `no version "16" of the runtime nodejs; it has 18, 20.11, 20.9`},
		{"nodejs=2.x", `no version "2.x"`},
		{"nodejs=default", `no version "default"`},
		{"python=default", `no version "default"`},
		{"empty=1", "it has none"},
		{"python=3;reboot", `no version "3;reboot"`},
		{"python=$PY", `no version "$PY"`},
		{"python=3.9 python=3.10", "wanted as 3.9 and as 3.10"},
		{"loop=1", "require one another without end"},
	} {
		var want []Var
		for _, one := range strings.Fields(c.want) {
			name, version, _ := strings.Cut(one, "=")
			want = append(want, Var{name, version})
		}
		all, err := SelectRuntimes([]byte(runtimesTable), want)
		if err != nil {
			if !strings.Contains(err.Error(), c.got) || c.got == "" {
				t.Errorf("%s: got the error\n%v\nwant\n%s", c.want, err, c.got)
			}
			continue
		}
		if got := spelled(all); got != c.got {
			t.Errorf("%s: got\n%s\nwant\n%s", c.want, got, c.got)
		}
	}
}

func spelled(all []Runtime) string {
	var parts []string
	for _, r := range all {
		part := fmt.Sprintf("%s=%s:%v", r.Name, r.Version, r.Commands)
		for _, v := range r.Env {
			part += " " + v.Name + "=" + v.Value
		}
		parts = append(parts, strings.ReplaceAll(part, "\n", `\n`))
	}
	return strings.Join(parts, " ")
}

// TestRuntimesHostile: the table comes from an image that anyone may have made.
func TestRuntimesHostile(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"no runtimes":    "version: 0.1\n",
		"a list":         "- a\n",
		"runtimes empty": "runtimes: {}\n",
		"too long":       strings.Repeat("#", maxBytes+1),
		"too deep":       "runtimes: " + strings.Repeat("[", 500),
		"too many":       "runtimes:\n" + strings.Repeat("  a: b\n", 30_000),
		"wrong values":   "runtimes: {python: {versions: {3.9: {commands: [{a: b}]}}}}\n",
		"binary":         "\x7fELF\x00\x01",
	} {
		_, err := SelectRuntimes([]byte(text), []Var{{"python", "3.9"}})
		var failed *Error
		if !errors.As(err, &failed) {
			t.Errorf("%s: got %v, want an *Error", name, err)
			continue
		}
		checkProblems(t, failed.Problems, runtimesFile)
	}
}

// TestVersionsInOrder: numbers count as numbers.
func TestVersionsInOrder(t *testing.T) {
	ordered := []string{"3.9", "3.10", "3.10.1", "20", "corretto21", "100000000000000000000.1"}
	for i, a := range ordered[:5] {
		for j, b := range ordered[:5] {
			if got := newer(a, b); got != (i > j) {
				t.Errorf("newer(%s, %s) = %v", a, b, got)
			}
		}
	}
	if newer(ordered[5], ordered[0]) {
		t.Error("a number that is too long for one is newer")
	}
}
