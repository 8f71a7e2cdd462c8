package buildspec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// reservedPrefix begins the names of the variables that CodeBuild, and Runner, set themselves.
const reservedPrefix = "CODEBUILD_"

var (
	shells     = []string{"sh", "/bin/sh", "bash", "/bin/bash"}
	laterShell = []string{"powershell.exe", "cmd.exe", "pwsh"}
	shellName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (c *checker) env(e entry) {
	if n, ok := c.block(e, "env"); ok {
		c.section(envSection, n, map[string]func(entry){
			"variables": c.variables, "shell": c.shell, "image": c.image,
		})
	}
}

func (c *checker) shell(e entry) {
	text, ok := c.text(e, "env.shell")
	if !ok {
		return
	}
	for _, s := range shells {
		if text == s {
			c.spec.Env.Shell = text
			return
		}
	}
	for _, s := range laterShell {
		if strings.EqualFold(text, s) {
			c.fail(e.value.at, complaint{
				message: fmt.Sprintf("the shell %q is not supported by this release", text),
				hint:    "jobs run on Linux: write sh or bash, and call other shells from a command",
			})
			return
		}
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("env.shell must be one of %s, but this is %s", strings.Join(shells, ", "), e.value.found()),
		hint:    "write sh or bash; other shells can be called from a command",
	})
}

// image is Runner's own key: the image that the jobs run in.
func (c *checker) image(e entry) {
	text, ok := c.text(e, "env.image")
	switch {
	case !ok:
	case text == "":
		c.warn(e.value.at, complaint{
			message: "env.image is empty: the project's image is used",
			hint:    "name an image, or remove the key",
		})
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("env.image must name an image, but %q holds white space", shorten(text)),
			hint:    "write a reference like golang:1.26 or registry.example.com/team/build@sha256:…",
		})
	default:
		c.spec.Env.Image = text
	}
}

func (c *checker) variables(e entry) {
	n, ok := c.block(e, "env.variables")
	if !ok {
		return
	}
	for _, v := range n.entries {
		if !c.variableName(v) {
			continue
		}
		switch v.value.kind {
		case scalar:
			c.selfReference(v)
			c.spec.Env.Variables = append(c.spec.Env.Variables, Var{Name: v.key, Value: v.value.text})
		case null:
			c.warn(v.value.at, complaint{
				message: fmt.Sprintf("the variable %s has no value: it is set to the empty text", shorten(v.key)),
				hint:    fmt.Sprintf(`say so: %s: ""`, shorten(v.key)),
			})
			c.spec.Env.Variables = append(c.spec.Env.Variables, Var{Name: v.key})
		default:
			c.wrong(v.value, "the value of the variable "+shorten(v.key), "text")
		}
	}
}

// switches are CodeBuild's settings in the form of variables.
var switches = []string{"CODEBUILD_CONFIG_AUTO_DISCOVER", "CODEBUILD_CONFIG_AUTO_DISCOVER_DIR"}

// ownNames are variables that the agent sets after those of the file.
var ownNames = []string{"PWD", "RUNNER_SHARD_INDEX", "RUNNER_SHARD_COUNT", "RUNNER_SHELL"}

// variableName tells whether a name can be a variable's at all, and warns of one that will not work as expected.
func (c *checker) variableName(v entry) bool {
	if v.key == "" || strings.Contains(v.key, "=") {
		c.fail(v.at, complaint{
			message: fmt.Sprintf("%q cannot be the name of a variable", shorten(v.key)),
			hint:    "use letters, digits and underscores",
		})
		return false
	}
	switch {
	case slices.Contains(switches, v.key):
		c.warn(v.at, complaint{message: v.key + " has no effect before reports are supported; nothing is discovered"})
	case slices.Contains(ownNames, v.key):
		c.warn(v.at, complaint{
			message: fmt.Sprintf("the variable %s is set by the runner: this value has no effect", v.key),
			hint:    "choose another name",
		})
	case strings.HasPrefix(v.key, reservedPrefix):
		c.warn(v.at, complaint{
			message: fmt.Sprintf("the variable %s has a reserved name: names that begin with %s are the runner's", shorten(v.key), reservedPrefix),
			hint:    "choose another name",
		})
	case !shellName.MatchString(v.key):
		c.warn(v.at, complaint{
			message: fmt.Sprintf("the variable %q has a name that the shell cannot read", shorten(v.key)),
			hint:    "use letters, digits and underscores, and no digit first",
		})
	}
	return true
}

// selfReference warns of PATH: "$PATH:/x". Values are literal, so this breaks the variable.
func (c *checker) selfReference(v entry) {
	if !refersTo(v.value.text, v.key) {
		return
	}
	c.warn(v.value.at, complaint{
		message: fmt.Sprintf("the value of %s is taken as it stands: $%s in it is not expanded", shorten(v.key), shorten(v.key)),
		hint:    fmt.Sprintf(`use a command: export %s="…"`, shorten(v.key)),
	})
}

// refersTo tells whether a text holds $NAME or ${NAME}.
func refersTo(text, name string) bool {
	if strings.Contains(text, "${"+name+"}") {
		return true
	}
	for {
		_, rest, ok := strings.Cut(text, "$"+name)
		if !ok {
			return false
		}
		if rest == "" || !shellName.MatchString("_"+rest[:1]) {
			return true
		}
		text = rest
	}
}
