package buildspec

import (
	"fmt"
	"regexp"
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
		if len(p.Commands)+len(p.Finally)+len(p.Runtimes) > 0 {
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
		"commands":         func(e entry) { to.Commands = c.commands(e, s.path("commands")) },
		"finally":          func(e entry) { to.Finally = c.commands(e, s.path("finally")) },
		"on-failure":       func(e entry) { to.OnFailure, to.Retry = c.onFailure(e, s.path("on-failure")) },
		"run-as":           func(e entry) { to.RunAs = c.user(e, s.path("run-as")) },
		"runtime-versions": func(e entry) { to.Runtimes = c.runtimes(e, s.path("runtime-versions")) },
	})
}

// onFailure is ABORT, CONTINUE or RETRY in upper case, "" where nothing is said.
func (c *checker) onFailure(e entry, what string) (string, *Retry) {
	text, ok := c.text(e, what)
	if !ok {
		return "", nil
	}
	if word := strings.ToUpper(text); word == "ABORT" || word == "CONTINUE" {
		return word, nil
	}
	retry, ok, err := parseRetry(text)
	if ok {
		return retryWord, &retry
	}
	if err != nil {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s is %q, and %v", what, shorten(text), err),
			hint:    "write RETRY, RETRY-count, RETRY-pattern or RETRY-count-pattern, the count from 0 to 100 and the pattern RE2, which has no lookahead or backreferences",
		})
		return "", nil
	}
	hint := "write one of these words; RETRY may have a count and a pattern: RETRY-2-timed out"
	if near := nearest(text, []string{"ABORT", "CONTINUE", retryWord}); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be ABORT, CONTINUE or RETRY, but this is %s", what, e.value.found()),
		hint:    hint,
	})
	return "", nil
}

// root is the user that commands run as when nothing is said.
const root = "root"

// userName is what Linux takes as a user: a name or a number, or the numbers of a user and a group.
var userName = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10}:[0-9]{1,10})$`)

// user is the value of run-as, "" where nothing is said.
func (c *checker) user(e entry, what string) string {
	text, ok := c.text(e, what)
	switch {
	case !ok:
		return ""
	case text == "":
		c.warn(e.value.at, complaint{
			message: what + " is empty, and is ignored",
			hint:    "name a user of the image, or remove the key",
		})
	case !userName.MatchString(text):
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be the name of a Linux user, but this is %s", what, e.value.found()),
			hint:    "name a user that the image has; variables are not expanded here",
		})
	default:
		return text
	}
	return ""
}

// runtimes are the values of runtime-versions, as they are written.
func (c *checker) runtimes(e entry, what string) []Var {
	n, ok := c.block(e, what)
	if !ok {
		return nil
	}
	var all []Var
	for _, v := range n.entries {
		path := what + "." + shorten(v.key)
		text, ok := c.text(v, path)
		switch {
		case ok && text != "" && v.key != "":
			all = append(all, Var{Name: v.key, Value: text})
		case v.value.kind == null || ok:
			c.fail(v.at, complaint{
				message: path + " has no version",
				hint:    fmt.Sprintf("write %s: latest, or a version that the image has", shorten(v.key)),
			})
		}
	}
	return all
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
	hint := c.commandHint(at)
	if note != "" && len(n.entries) > 1 {
		hint = "a command is one text, without a name or other keys: write what it runs behind the dash"
	}
	c.fail(at, complaint{message: "a command must be text, but this is " + n.found(), note: note, hint: hint})
}

// commandHint shows the command of a line in quotes.
func (c *checker) commandHint(at mark) string {
	line := c.src.line(at.line)
	if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok && !strings.HasPrefix(rest, "- ") {
		if utf8.RuneCountInString(line) == at.col-1+utf8.RuneCountInString(rest) {
			return quoteHint(c.src, at.line)
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
