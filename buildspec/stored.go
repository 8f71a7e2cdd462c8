package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// parameters are the variables whose values the daemon's store holds under a name.
func (c *checker) parameters(e entry) {
	c.stored(e, "env.parameter-store", "the name of a parameter", func(v entry, from string) {
		c.spec.Env.Parameters = append(c.spec.Env.Parameters, Parameter{Name: v.key, From: from, Line: v.at.line})
	})
}

// secrets are the variables whose values are secrets, or fields of them.
func (c *checker) secrets(e entry) {
	c.stored(e, "env.secrets-manager", "a reference to a secret", func(v entry, text string) {
		ref, err := ParseSecretRef(text)
		if err != nil {
			c.fail(v.value.at, complaint{
				message: fmt.Sprintf("%q is no reference to a secret: %v", shorten(text), err),
				hint:    "write secret-id[:json-key[:version-stage[:version-id]]], for example db:password",
			})
			return
		}
		ref.Name, ref.Line = v.key, v.at.line
		c.spec.Env.Secrets = append(c.spec.Env.Secrets, ref)
	})
}

// stored walks a mapping of variables to what stands for their values.
func (c *checker) stored(e entry, what, expected string, keep func(v entry, text string)) {
	n, ok := c.block(e, what)
	if !ok {
		return
	}
	for _, v := range n.entries {
		if !c.variableName(v) {
			continue
		}
		path := what + "." + shorten(v.key)
		text, ok := c.text(v, path)
		switch {
		case ok && strings.TrimSpace(text) != "":
			c.places[what+"."+v.key] = v.at
			keep(v, strings.TrimSpace(text))
		case ok || v.value.kind == null:
			c.fail(v.at, complaint{message: path + " is empty", hint: "write " + expected})
		}
	}
}

const exportedKey = "env.exported-variables"

// unexported begins the names of variables that CodeBuild does not export.
const unexported = "AWS_"

// exported are names of variables whose last values are shown with the build.
func (c *checker) exported(e entry) {
	const what = exportedKey
	for _, n := range c.items(e, what) {
		switch {
		case n.kind == scalar && shellName.MatchString(n.text):
			if strings.HasPrefix(n.text, unexported) {
				c.warn(n.at, complaint{
					message: fmt.Sprintf("the variable %s is not exported: names that begin with %s never are", shorten(n.text), unexported),
					hint:    "copy the value to a variable of another name, if it is no secret",
				})
			} else if !slices.Contains(c.spec.Env.Exported, n.text) {
				c.spec.Env.Exported = append(c.spec.Env.Exported, n.text)
				c.places[what+"."+n.text] = n.at
			}
		case n.kind == null:
			c.warn(n.at, complaint{message: "an item of " + what + " is empty, and is ignored", hint: "remove the dash"})
		case n.kind == scalar:
			c.warn(n.at, complaint{
				message: fmt.Sprintf("%q is not exported: it cannot be the name of a variable of the shell", shorten(n.text)),
				hint:    "name the variable without $, in letters, digits and underscores",
			})
		default:
			c.wrong(n, "an item of "+what, "text")
		}
	}
}

// variableTwice tells of names that have values of several kinds, and takes secrets out of what is exported.
func (c *checker) variableTwice() {
	const plain, parameter, secret = "variables", "parameter-store", "secrets-manager"
	env := &c.spec.Env
	kinds := map[string]string{}
	for _, v := range env.Variables {
		kinds[v.Name] = plain
	}
	see := func(name, kind string) {
		if before := kinds[name]; before != "" && before != kind {
			c.warn(c.places["env."+kind+"."+name], complaint{
				message: fmt.Sprintf("the variable %s is in env.%s and in env.%s: the latter wins", shorten(name), before, kind),
				hint:    "remove one of the two",
			})
		}
		kinds[name] = kind
	}
	for _, p := range env.Parameters {
		see(p.Name, parameter)
	}
	for _, s := range env.Secrets {
		see(s.Name, secret)
	}
	env.Exported = slices.DeleteFunc(env.Exported, func(name string) bool {
		kind := kinds[name]
		if kind == parameter || kind == secret {
			c.warn(c.places[exportedKey+"."+name], complaint{
				message: fmt.Sprintf("the variable %s is not exported: it is in env.%s, and exported values are shown to everyone who sees the build", shorten(name), kind),
				hint:    "remove it from exported-variables",
			})
			return true
		}
		return false
	})
}
