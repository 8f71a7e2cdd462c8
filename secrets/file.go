package secrets

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

// maxFile bounds a file of secrets in bytes.
const maxFile = 16 << 20

// ReadFile reads the secrets of a local build: lines NAME=VALUE, or lines of JSON {"name": …, "value": …}. A file that
// others can read is refused.
func ReadFile(path string) (map[string]string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, say(ErrInvalid, "the file of secrets %s is no regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, say(ErrInvalid, "the file of secrets %s can be read or changed by others (mode %04o); run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the secrets: %w", err)
	case len(text) > maxFile:
		return nil, say(ErrInvalid, "the file of secrets %s is larger than %d bytes", path, maxFile)
	}
	return parseFile(path, string(text))
}

// parseFile reads the text of such a file. Messages give the line and, of what stands in it, nothing but the name.
func parseFile(path, text string) (map[string]string, error) {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return nil, say(ErrInvalid, "the file of secrets %s is not UTF-8 text", path)
	}
	values := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(strings.TrimSuffix(line, "\r"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, problem := parseLine(line)
		if problem == "" {
			if err := CheckName(name); err != nil {
				problem = err.Error()
			} else if _, twice := values[name]; twice {
				problem = fmt.Sprintf("%s is there already, further up", name)
			} else if len(value) > MaxValue {
				problem = fmt.Sprintf("the value of %s has %d bytes; a secret has at most %d", name, len(value), MaxValue)
			}
		}
		if problem != "" {
			return nil, say(ErrInvalid, "%s:%d: %s", path, i+1, problem)
		}
		values[name] = value
	}
	return values, nil
}

func parseLine(line string) (name, value, problem string) {
	if line[0] == '{' {
		var one struct {
			Name  string  `json:"name"`
			Value *string `json:"value"`
		}
		if json.Unmarshal([]byte(line), &one) != nil || one.Value == nil {
			return "", "", `this line is no JSON object {"name": "…", "value": "…"}`
		}
		return one.Name, *one.Value, ""
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
	if !ok {
		return "", "", "expected NAME=VALUE"
	}
	value, problem = unquote(strings.TrimSpace(value))
	return strings.TrimSpace(name), value, problem
}

// unquote takes the quotes off a value: single ones keep what is between them, in double ones \n, \t, \", \\ and \$
// have their meaning.
func unquote(text string) (value, problem string) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		return text, ""
	}
	quote := text[0]
	if len(text) < 2 || text[len(text)-1] != quote {
		return "", "the value begins with a quote that is not closed on its line; write line ends as \\n in double quotes"
	}
	inner := text[1 : len(text)-1]
	if quote == '\'' {
		return inner, ""
	}
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`, `\$`, "$").Replace(inner), ""
}
