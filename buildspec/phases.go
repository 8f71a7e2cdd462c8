package buildspec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

func (c *checker) phases(e entry) {
	for _, k := range phasesSection.keys {
		c.spec.Phases = append(c.spec.Phases, Phase{Name: strings.ToUpper(k.name)})
	}
	n, ok := c.block(e, "phases")
	if !ok && e.value.kind != null {
		return
	}
	if !ok || len(n.entries) == 0 {
		c.fail(e.at, complaint{
			message: "phases is empty, so there is nothing to run",
			hint:    "add build: with commands: as a list",
		})
		return
	}
	readers := map[string]func(entry){}
	for i, k := range phasesSection.keys {
		readers[k.name] = func(e entry) { c.phase(e, k.name, &c.spec.Phases[i]) }
	}
	before := c.counts[SeverityError]
	c.section(phasesSection, n, readers)
	if c.counts[SeverityError] == before && !anyCommand(c.spec.Phases) {
		c.warn(e.at, complaint{message: "no phase has commands: the build will do nothing", hint: "add them under build: commands:"})
	}
}

func anyCommand(phases []Phase) bool {
	for _, p := range phases {
		if len(p.Commands)+len(p.Finally) > 0 {
			return true
		}
	}
	return false
}

func (c *checker) phase(e entry, name string, to *Phase) {
	s := phaseSection(name)
	n, ok := c.block(e, s.name)
	if !ok {
		return
	}
	c.section(s, n, map[string]func(entry){
		"commands":   func(e entry) { to.Commands = c.commands(e, s.path("commands")) },
		"finally":    func(e entry) { to.Finally = c.commands(e, s.path("finally")) },
		"on-failure": func(e entry) { to.OnFailure = c.onFailure(e, s.path("on-failure")) },
	})
}

// onFailure is ABORT or CONTINUE in upper case, "" where nothing is said.
func (c *checker) onFailure(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok {
		return ""
	}
	switch word := strings.ToUpper(text); {
	case word == "ABORT", word == "CONTINUE":
		return word
	case word == "RETRY", strings.HasPrefix(word, "RETRY-"):
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%q in %s is not supported by this release", shorten(text), what),
			hint:    "write ABORT or CONTINUE",
		})
	default:
		hint := "write one of the two"
		if near := nearest(text, []string{"ABORT", "CONTINUE"}); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be ABORT or CONTINUE, but this is %s", what, e.value.found()),
			hint:    hint,
		})
	}
	return ""
}

// commands are the scripts of a list, each one a command however many lines it has. A block of text instead of a
// list is one command.
func (c *checker) commands(e entry, what string) []Command {
	var all []Command
	for _, n := range c.items(e, what) {
		switch {
		case n.kind == null, n.kind == scalar && strings.TrimSpace(n.text) == "":
			c.warn(n.at, complaint{
				message: fmt.Sprintf("a command of %s is empty, and is left out", what),
				hint:    "remove it",
			})
		case n.kind == scalar:
			all = append(all, Command{Text: n.text, Line: n.at.line})
		default:
			c.notCommand(n)
		}
	}
	return all
}

// notCommand explains the most common mistake of all: a command that YAML reads as a mapping because of a colon and
// a space in it, or as a list because it begins with a bracket.
func (c *checker) notCommand(n *node) {
	at, note := n.at, ""
	if n.kind == mapping && len(n.entries) > 0 && !n.entries[0].merged {
		first := n.entries[0]
		if c.src.shows(n.at, first.key) { // not a { mapping }
			at = first.at
			note = fmt.Sprintf("YAML reads %q as a key", shorten(lastWord(first.key))+": ")
		}
	}
	c.fail(at, complaint{
		message: "a command must be text, but this is " + n.found(),
		note:    note,
		hint:    c.commandHint(at),
	})
}

// commandHint shows the command of a line in quotes.
func (c *checker) commandHint(at mark) string {
	line := c.src.line(at.line)
	if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok && !strings.HasPrefix(rest, "- ") {
		if utf8.RuneCountInString(line) == at.col-1+utf8.RuneCountInString(rest) {
			return quoteHint(line)
		}
	}
	return "write each command as one text behind its dash, in quotes or below - |"
}

func lastWord(text string) string {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return text
	}
	return fields[len(fields)-1]
}
