//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/runner-ci/runner/runner/wire"
)

// export asks the shell for the last values of the exported variables. What cannot be exported is left out, with a
// line in the log; a build does not fail for it.
func (p *phases) export(ctx context.Context) {
	names := p.exportable()
	if len(names) == 0 {
		return
	}
	var lines strings.Builder
	for _, name := range names {
		fmt.Fprintf(&lines, "[ -z \"${%s+x}\" ] || printf 'A%%s\\000' \"%s=$%s\"\n", name, name, name)
	}
	answers, err := p.shell.ask(ctx, lines.String())
	p.out.settle()
	if err != nil {
		p.log.say("The exported variables are not known: %v", err)
		return
	}
	values := map[string]string{}
	for _, answer := range answers {
		name, value, _ := strings.Cut(answer, "=")
		values[name] = value
	}
	room := wire.MaxExported
	for _, name := range names {
		if value, set := values[name]; !set {
			p.log.say("The variable %s is not exported: it is not set", name)
		} else if why := p.unexportable(name, value, &room); why != "" {
			p.log.say("The variable %s is not exported: %s", name, why)
		} else {
			p.keeps.exported = append(p.keeps.exported, wire.Var{Name: name, Value: value})
		}
	}
}

// exportable returns the names that may be exported, each once.
func (p *phases) exportable() []string {
	var names []string
	for _, name := range p.job.Exported {
		switch {
		case slices.Contains(names, name):
		case name == "" || nameAt(name) != name:
			p.log.say("The variable %q is not exported: that is no name of a variable", name)
		case strings.HasPrefix(name, "AWS_"):
			p.log.say("The variable %s is not exported: names that begin with AWS_ never are", name)
		default:
			names = append(names, name)
		}
	}
	return names
}

// unexportable says why a value stays inside, if so, and takes its room otherwise: that of its JSON, because all of
// them have to fit one line of the record.
func (p *phases) unexportable(name, value string, room *int) string {
	if p.log.masker.String(value) != value || slices.Contains(p.job.Secrets, value) && value != "" {
		return "its value holds a secret"
	}
	if !utf8.ValidString(value) {
		return "its value is not text (UTF-8)"
	}
	text, err := json.Marshal(wire.Var{Name: name, Value: value})
	if err != nil || len(text) > *room {
		return fmt.Sprintf("it takes %d bytes, and of %d for all exported variables %d are left", len(text), wire.MaxExported, max(0, *room))
	}
	*room -= len(text)
	return ""
}
