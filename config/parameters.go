package config

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Parameter is a value that whoever starts a build by hand, or a schedule, may choose. It is no secret: it is stored and
// shown with the build.
type Parameter struct {
	Type        string   `yaml:"type" json:"type,omitempty"` // string (default), number, boolean or choice
	Default     string   `yaml:"default" json:"default,omitempty"`
	Options     []string `yaml:"options" json:"options,omitempty"` // of a choice
	Required    bool     `yaml:"required" json:"required,omitempty"`
	Pattern     string   `yaml:"pattern" json:"pattern,omitempty"` // RE2, of the whole of a string
	Description string   `yaml:"description" json:"description,omitempty"`
	Min         *float64 `yaml:"min" json:"min,omitempty"` // of a number
	Max         *float64 `yaml:"max" json:"max,omitempty"`
	Env         string   `yaml:"env" json:"env,omitempty"` // name of the variable; empty: the parameter's, in capitals
}

// Chosen is one parameter of one build: which variable of its jobs has which value.
type Chosen struct {
	Name     string `json:"name"`
	Variable string `json:"variable"`
	Value    string `json:"value"`
}

// The types of parameters.
const (
	typeString  = "string"
	typeNumber  = "number"
	typeBoolean = "boolean"
	typeChoice  = "choice"
)

const (
	// maxParameters bounds the parameters of one project.
	maxParameters = 100
	// maxValue bounds a parameter's value in bytes, maxValues those of all parameters of a build: they are stored with it, and
	// a process is given them in its environment.
	maxValue, maxValues = 8 << 10, 64 << 10
)

// parameterName has a capital form that can be a variable's.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)

// TypeName is the parameter's type, also where none was written.
func (p Parameter) TypeName() string { return or(p.Type, typeString) }

// Variable is the name of the environment variable that jobs get a parameter's value in.
func (p Parameter) Variable(name string) string {
	return or(p.Env, strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

// Choose checks the values that a build was asked for, by the names of parameters, and adds the defaults of the others. Its
// error is every FieldError there is, joined.
func (p *Project) Choose(values map[string]string) ([]Chosen, error) {
	var f faults
	names := slices.Sorted(maps.Keys(p.BuildParameters))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, known := p.BuildParameters[name]; !known {
			f.add(clip(name), parameterHint(p.Name, name, names), "project %s has no parameter of this name", p.Name)
		}
	}
	var out []Chosen
	size := 0
	for _, name := range names {
		parameter := p.BuildParameters[name]
		value, given := values[name]
		switch {
		case given:
			parameter.judge(&f, name, value)
		case parameter.Required:
			f.add(name, parameter.expects(), "a value is required, and none was given")
			continue
		case parameter.Default == "":
			continue
		default:
			value = parameter.Default
		}
		out = append(out, Chosen{name, parameter.Variable(name), value})
		size += len(value)
	}
	if size > maxValues {
		f.add("*", "keep long ones in files of the repository", "the values have %d bytes together, and at most %d are taken", size, maxValues)
	}
	if err := f.prefixed("parameters").join(); err != nil {
		return nil, err
	}
	return out, nil
}

// Defaults are the parameters of a build that nobody chose any for.
func (p *Project) Defaults() (out []Chosen) {
	for _, name := range slices.Sorted(maps.Keys(p.BuildParameters)) {
		if parameter := p.BuildParameters[name]; parameter.Default != "" {
			out = append(out, Chosen{name, parameter.Variable(name), parameter.Default})
		}
	}
	return out
}

func parameterHint(project, name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(names) == 0 {
		return "it has none at all: add them under parameters in its settings, or set a variable of the jobs with --env"
	}
	return "there are " + strings.Join(names, ", ")
}

// judge tells what is wrong with a value.
func (p Parameter) judge(f *faults, name, value string) {
	if len(value) > maxValue {
		f.add(name, "keep it in a file of the repository", "the value has %d bytes, and at most %d are taken", len(value), maxValue)
		return
	}
	if strings.ContainsRune(value, 0) {
		f.add(name, "no process can be given one", "the value has a zero byte")
		return
	}
	if p.fits(value) {
		return
	}
	hint := p.expects()
	if near := nearest(value, p.Options); p.TypeName() == typeChoice && near != "" {
		hint = fmt.Sprintf("did you mean %q? %s", near, hint)
	}
	f.add(name, hint, "%q is no value of it", clip(value))
}

func (p Parameter) fits(value string) bool {
	switch p.TypeName() {
	case typeNumber:
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) && (p.Min == nil || n >= *p.Min) && (p.Max == nil || n <= *p.Max)
	case typeBoolean:
		return value == "true" || value == "false"
	case typeChoice:
		return slices.Contains(p.Options, value)
	}
	if p.Pattern == "" {
		return true
	}
	whole, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	return err == nil && whole.MatchString(value)
}

// expects says what a value has to be.
func (p Parameter) expects() string {
	switch p.TypeName() {
	case typeNumber:
		switch {
		case p.Min != nil && p.Max != nil:
			return fmt.Sprintf("give a number from %v to %v", *p.Min, *p.Max)
		case p.Min != nil:
			return fmt.Sprintf("give a number, at least %v", *p.Min)
		case p.Max != nil:
			return fmt.Sprintf("give a number, at most %v", *p.Max)
		}
		return "give a number"
	case typeBoolean:
		return "give true or false"
	case typeChoice:
		return "give one of " + strings.Join(p.Options, ", ")
	}
	if p.Pattern != "" {
		return "give text that matches " + clip(p.Pattern) + " as a whole"
	}
	return "give text"
}

// checkParameters checks what a project's builds may be asked for.
func (p *Project) checkParameters(f *faults) {
	if n := len(p.BuildParameters); n > maxParameters {
		f.add("parameters", "keep the rest in a file of the repository", "there are %d, and at most %d are taken", n, maxParameters)
	}
	taken := make(map[string]string) // variable → parameter
	for _, name := range slices.Sorted(maps.Keys(p.BuildParameters)) {
		if !parameterName.MatchString(name) {
			f.add("parameters."+clip(name), "letters, digits, - and _, not beginning with a digit, at most 100", "this is no name of a parameter")
			continue
		}
		parameter := p.BuildParameters[name]
		variable := parameter.Variable(name)
		at := faults{}
		parameter.check(&at)
		p.checkVariable(&at, variable)
		if other := taken[variable]; other != "" {
			at.add("env", "choose another name with env", "parameter %s sets the variable %s, too", other, variable)
		}
		taken[variable] = name
		*f = append(*f, at.prefixed("parameters."+name)...)
	}
}

// checkVariable refuses variables that a parameter cannot or must not set.
func (p *Project) checkVariable(f *faults, variable string) {
	_, inStore := p.Parameters[variable]
	_, inSecrets := p.Secrets[variable]
	const hint = "choose another name with env"
	switch {
	case !envName.MatchString(variable):
		f.add("env", "letters, digits and _, not beginning with a digit", "%q is no name of an environment variable", clip(variable))
	case strings.HasPrefix(variable, "CODEBUILD_"):
		f.add("env", hint, "names with CODEBUILD_ are reserved")
	case variable == "PATH" || variable == "HOME":
		f.add("env", hint, "no command would run well with another %s", variable)
	case inStore || inSecrets:
		f.add("env", hint, "the variable %s is a secret's, whose place no parameter may take", variable)
	}
}

func (p Parameter) check(f *faults) {
	f.oneOf("type", p.TypeName(), typeString, typeNumber, typeBoolean, typeChoice)
	kind := p.TypeName()
	for _, only := range []struct {
		field, kind string
		set         bool
	}{
		{"options", typeChoice, len(p.Options) > 0}, {"pattern", typeString, p.Pattern != ""},
		{"min", typeNumber, p.Min != nil}, {"max", typeNumber, p.Max != nil},
	} {
		if only.set && kind != only.kind {
			f.add(only.field, "set type: "+only.kind+", or remove it", "a %s has no such setting", kind)
		}
	}
	if kind == typeChoice && len(p.Options) == 0 {
		f.add("options", "write options: [staging, production]", "a choice needs options")
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		f.add("min", "", "%v is greater than max, %v", *p.Min, *p.Max)
	}
	if _, err := regexp.Compile(p.Pattern); err != nil {
		f.add("pattern", "write a regular expression as Go and RE2 have them: v[0-9]+", "%v", err)
		return
	}
	if p.Default != "" && p.Required {
		f.add("required", "keep one of the two", "a parameter with a default is never missing")
	}
	if p.Default != "" {
		p.judge(f, "default", p.Default)
	}
}
