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
	shells        = []string{"sh", "/bin/sh", "bash", "/bin/bash"}
	windowsShells = []string{"powershell.exe", "cmd.exe", "pwsh"}
	shellName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (c *checker) env(e entry) {
	if n, ok := c.block(e, "env"); ok {
		to := &c.spec.Env
		c.section(envSection, n, map[string]func(entry){
			"variables":             func(e entry) { to.Variables = c.variables(e, "env.variables") },
			"shell":                 c.shell,
			"image":                 func(e entry) { to.Image = c.image(e, "env.image", "the project's image is used") },
			"parameter-store":       c.parameters,
			"secrets-manager":       c.secrets,
			"exported-variables":    c.exported,
			"git-credential-helper": func(e entry) { to.GitCredentials = c.flag(e, "env.git-credential-helper") },
		})
	}
}

// oldEnv is version 0.1's environment_variables. What env.variables sets as well, wins.
func (c *checker) oldEnv(e entry) {
	if n, ok := c.block(e, oldEnvSection.name); ok {
		c.section(oldEnvSection, n, map[string]func(entry){
			"plaintext": func(e entry) {
				c.spec.Env.Variables = append(c.variables(e, "environment_variables.plaintext"), c.spec.Env.Variables...)
			},
		})
	}
}

// proxy is accepted without effect, and told.
func (c *checker) proxy(e entry) {
	n, ok := c.block(e, proxySection.name)
	if !ok {
		return
	}
	to := &c.spec.Proxy
	c.section(proxySection, n, map[string]func(entry){
		"upload-artifacts": func(e entry) { to.UploadArtifacts = c.flag(e, "proxy.upload-artifacts") },
		"logs":             func(e entry) { to.Logs = c.flag(e, "proxy.logs") },
	})
	c.warn(e.at, complaint{
		message: "proxy has no effect here: logs and artifacts do not leave by way of the job's network",
		hint:    "remove it, unless the file is for CodeBuild too; the proxy of jobs is a setting of the daemon",
	})
}

func (c *checker) shell(e entry) {
	text, ok := c.text(e, "env.shell")
	if !ok {
		return
	}
	if slices.Contains(shells, text) {
		c.spec.Env.Shell = text
		return
	}
	if WindowsShell(text) {
		c.spec.Env.Shell = text
		c.warn(e.value.at, complaint{
			message: fmt.Sprintf("the shell %q is of Windows, and jobs run on Linux: the jobs of this file are refused here", text),
			hint:    "write sh or bash, and call other shells from a command",
		})
		return
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("env.shell must be one of %s, but this is %s", strings.Join(shells, ", "), e.value.found()),
		hint:    "write sh or bash; other shells can be called from a command",
	})
}

// WindowsShell tells whether a shell is one of those that CodeBuild has on Windows. Files that name one can be read
// and planned; no job here has such a shell.
func WindowsShell(name string) bool {
	return slices.ContainsFunc(windowsShells, func(s string) bool { return strings.EqualFold(name, s) })
}

// image is the reference of an image, "" where nothing is said. instead tells what is used then.
func (c *checker) image(e entry, what, instead string) string {
	text, ok := c.text(e, what)
	switch {
	case !ok:
		return ""
	case text == "":
		c.warn(e.value.at, complaint{
			message: what + " is empty: " + instead,
			hint:    "name an image, or remove the key",
		})
	case !isImage(text):
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must name an image, but %q holds white space", what, shorten(text)),
			hint:    "write a reference like golang:1.26 or registry.example.com/team/build@sha256:…",
		})
	default:
		return text
	}
	return ""
}

func isImage(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// variables are a mapping of names to literal values.
func (c *checker) variables(e entry, what string) []Var {
	n, ok := c.block(e, what)
	if !ok {
		return nil
	}
	var all []Var
	for _, v := range n.entries {
		if !c.variableName(v) {
			continue
		}
		switch v.value.kind {
		case scalar:
			c.selfReference(v)
			all = append(all, Var{Name: v.key, Value: v.value.text})
		case null:
			c.warn(v.value.at, complaint{
				message: fmt.Sprintf("the variable %s has no value: it is set to the empty text", shorten(v.key)),
				hint:    fmt.Sprintf(`say so: %s: ""`, shorten(v.key)),
			})
			all = append(all, Var{Name: v.key})
		default:
			c.wrong(v.value, "the value of the variable "+shorten(v.key), "text")
		}
	}
	return all
}

// switches are CodeBuild's settings in the form of variables, which a file may set.
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
