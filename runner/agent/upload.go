//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// clientError is a mistake in what the buildspec asks for. It fails the phase.
type clientError struct{ message string }

func (e *clientError) Error() string { return e.message }

func mistake(format string, args ...any) error {
	return &clientError{fmt.Sprintf(format, args...)}
}

// upload runs UPLOAD_ARTIFACTS: it packs what the buildspec lists into one tar in the spool. An error means that
// the job cannot go on.
func (p *phases) upload(ctx context.Context) error {
	end := p.begin(wire.PhaseUpload)
	if p.job.Artifacts == nil {
		end(wire.StatusSucceeded, "", "")
		return nil
	}
	packed, err := p.pack(ctx)
	var client *clientError
	switch {
	case err == nil:
		p.packed = &packed
		p.spool.add(packed)
		end(wire.StatusSucceeded, "", "")
		return nil
	case errors.As(err, &client):
		message := p.log.masker.String(client.message)
		p.fail(wire.Done{Reason: "artifacts", Phase: wire.PhaseUpload, Message: "uploading artifacts: " + message})
		end(wire.StatusFailed, codeClient, message)
		return nil
	}
	end(statusOf(err), statusCode(err), p.log.masker.String(err.Error()))
	return err
}

func (p *phases) pack(ctx context.Context) (wire.Artifacts, error) {
	spec, name, err := p.expand(ctx, *p.job.Artifacts)
	if err != nil {
		return wire.Artifacts{}, err
	}
	p.out.settle() // what expanding the name printed
	p.log.say("Expanding base directory path: %s", orDot(spec.BaseDirectory))
	p.log.say("Assembling file list")
	for _, file := range spec.Files {
		p.log.say("Expanding %s", file)
	}
	list, err := selectFiles(ctx, p.job.Dir, spec, p.log.say)
	if err != nil {
		return wire.Artifacts{}, err
	}
	if len(list) == 0 {
		return wire.Artifacts{}, mistake("no matching artifact paths found: none of artifacts.files (%s) is below %s", strings.Join(spec.Files, ", "), orDot(spec.BaseDirectory))
	}
	p.log.say("Found %d file(s)", len(list))
	bytes, err := packFiles(ctx, p.spool.dir, list, p.job.Limits.ArtifactBytes)
	if err != nil {
		return wire.Artifacts{}, err
	}
	return wire.Artifacts{File: wire.ArtifactsFile, Files: len(list), Bytes: bytes, Name: name}, nil
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// expand asks the shell for the values of the variables in the paths, as they are at the end of the job, and has
// it expand the artifact's name, which may hold commands too.
func (p *phases) expand(ctx context.Context, spec wire.ArtifactSpec) (wire.ArtifactSpec, string, error) {
	texts := append([]string{spec.BaseDirectory}, spec.Files...)
	texts = append(texts, spec.ExcludePaths...)
	values, err := p.values(ctx, texts)
	if err != nil {
		return spec, "", err
	}
	spec.BaseDirectory = expandVars(spec.BaseDirectory, values)
	spec.Files = expandAll(spec.Files, values)
	spec.ExcludePaths = expandAll(spec.ExcludePaths, values)
	name, err := p.name(ctx, spec.Name)
	return spec, name, err
}

func (p *phases) values(ctx context.Context, texts []string) (map[string]string, error) {
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
		return nil, p.unanswered(ctx, err)
	}
	if len(answers) != len(names) {
		return nil, mistake("the shell did not tell the variables in artifacts.files")
	}
	values := make(map[string]string, len(names))
	for i, name := range names {
		values[name] = answers[i]
	}
	return values, nil
}

// name expands artifacts.name as the shell does between double quotes.
func (p *phases) name(ctx context.Context, name string) (string, error) {
	if !strings.ContainsAny(name, "$`\\") {
		return name, nil
	}
	first, _, _ := strings.Cut(name, "\n")
	answers, err := p.shell.ask(ctx, "(IFS= read -r __runner_value <<__RUNNER_NAME__\n"+first+"\n__RUNNER_NAME__\nprintf 'A%s\\000' \"$__runner_value\")")
	if err != nil && !errors.Is(err, errEnded) {
		return "", p.unanswered(ctx, err)
	}
	if len(answers) != 1 {
		return "", mistake("artifacts.name %q could not be expanded by the shell; its message stands above in the log", name)
	}
	return answers[0], nil
}

func (p *phases) unanswered(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return mistake("the variables of artifacts could not be expanded: %v", err)
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

// within tells whether a clean absolute path lies below a directory, and where.
func within(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return rel, true
}
