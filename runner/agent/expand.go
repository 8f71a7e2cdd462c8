//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// values asks the shell for the variables that the texts refer to, as they are now. what names the texts in errors.
func (p *phases) values(ctx context.Context, what string, texts []string) (map[string]string, error) {
	var names []string
	for _, text := range texts {
		names = append(names, varNames(text)...)
	}
	if len(names) == 0 {
		return nil, nil
	}
	var lines strings.Builder
	for _, name := range names {
		fmt.Fprintf(&lines, "printf 'A%%s\\000' \"${%s-}\"\n", name)
	}
	answers, err := p.shell.ask(ctx, lines.String())
	if err != nil {
		return nil, p.unanswered(ctx, what, err)
	}
	if len(answers) != len(names) {
		return nil, mistake("the shell did not tell the variables in %s", what)
	}
	values := make(map[string]string, len(names))
	for i, name := range names {
		values[name] = answers[i]
	}
	return values, nil
}

// expandText expands the first line of a text as the shell does between double quotes, commands included.
func (p *phases) expandText(ctx context.Context, what, text string) (string, error) {
	return p.expandAfter(ctx, "", what, text)
}

// expandAfter expands a text in a shell of its own that has run a line before.
func (p *phases) expandAfter(ctx context.Context, before, what, text string) (string, error) {
	if !strings.ContainsAny(text, "$`\\") {
		return text, nil
	}
	first, _, _ := strings.Cut(text, "\n")
	answers, err := p.shell.ask(ctx, "("+before+"\nIFS= read -r __runner_value <<__RUNNER_NAME__\n"+first+"\n__RUNNER_NAME__\nprintf 'A%s\\000' \"$__runner_value\")")
	if err != nil && !errors.Is(err, errEnded) {
		return "", p.unanswered(ctx, what, err)
	}
	if len(answers) != 1 {
		return "", mistake("%s %q could not be expanded by the shell; its message stands above in the log", what, text)
	}
	return answers[0], nil
}

func (p *phases) unanswered(ctx context.Context, what string, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return mistake("the variables of %s could not be expanded: %v", what, err)
}

// varNames returns the names that text refers to as $NAME or ${NAME}.
func varNames(text string) []string {
	var names []string
	scanVars(text, func(name string) string {
		names = append(names, name)
		return ""
	})
	return names
}

func expandVars(text string, values map[string]string) string {
	return scanVars(text, func(name string) string { return values[name] })
}

func expandAll(texts []string, values map[string]string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = expandVars(text, values)
	}
	return all
}

// scanVars replaces each reference. What looks like one but is none ("$", "${x:-y}", "$(date)") stays as it is.
func scanVars(text string, value func(name string) string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '$' {
			b.WriteByte(text[i])
			i++
			continue
		}
		name := nameAt(text[i+1:])
		length := 1 + len(name)
		if rest := text[i+1:]; strings.HasPrefix(rest, "{") {
			name = nameAt(rest[1:])
			length = len("${}") + len(name)
			if !strings.HasPrefix(rest[1+len(name):], "}") {
				name = ""
			}
		}
		if name == "" {
			b.WriteByte('$')
			i++
			continue
		}
		b.WriteString(value(name))
		i += length
	}
	return b.String()
}

// nameAt returns the variable name that text begins with, or "".
func nameAt(text string) string {
	n := 0
	for n < len(text) {
		c := text[n]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (n == 0 || c < '0' || c > '9') {
			break
		}
		n++
	}
	return text[:n]
}
