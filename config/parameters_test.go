package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// deploy is a project with a parameter of each type.
const deploy = `
projects:
  - name: api
    url: https://example.com/api.git
    secrets-manager: {TOKEN: app/npm}
    parameters:
      target: {type: choice, options: [staging, production], default: staging}
      replicas: {type: number, min: 1, max: 20, required: true}
      dry-run: {type: boolean, default: true, env: DRY}
      version: {pattern: "v[0-9]+", description: which release}
      note:
`

func deployProject(t *testing.T) *Project {
	t.Helper()
	c, err := Parse("runner.yml", []byte(deploy))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Projects[0]
}

func TestChosenParametersAreCheckedAndTheOthersAddedByDefault(t *testing.T) {
	p := deployProject(t)
	got, err := p.Choose(map[string]string{"replicas": "3", "version": "v12", "note": ""})
	want := []Chosen{{"dry-run", "DRY", "true"}, {"note", "NOTE", ""}, {"replicas", "REPLICAS", "3"}, {"target", "TARGET", "staging"}, {"version", "VERSION", "v12"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, want := p.Defaults(), []Chosen{{"dry-run", "DRY", "true"}, {"target", "TARGET", "staging"}}; !slices.Equal(got, want) {
		t.Errorf("without a choice %v, want %v", got, want)
	}
}

func TestParametersThatDoNotFitAreNamedWithWhatIsExpected(t *testing.T) {
	p := deployProject(t)
	for _, c := range []struct{ name, value, want string }{
		{"target", "prodution", `parameters.target: "prodution" is no value of it (did you mean "production"? give one of staging, production)`},
		{"target", "qa", `(give one of staging, production)`},
		{"replicas", "many", `parameters.replicas: "many" is no value of it (give a number from 1 to 20)`},
		{"replicas", "21", `(give a number from 1 to 20)`},
		{"replicas", "NaN", `(give a number from 1 to 20)`},
		{"dry-run", "yes", `(give true or false)`},
		{"version", "xv1", `(give text that matches v[0-9]+ as a whole)`},
		{"version", "v1\nv2", `(give text that matches v[0-9]+ as a whole)`},
		{"verison", "v1", `parameters.verison: project api has no parameter of this name (did you mean "version"?)`},
		{"colour", "red", `(there are dry-run, note, replicas, target, version)`},
		{"note", "a\x00b", `the value has a zero byte`},
		{"note", strings.Repeat("x", 9000), `the value has 9000 bytes, and at most 8192 are taken`},
	} {
		values := map[string]string{"replicas": "3"}
		values[c.name] = c.value
		_, err := p.Choose(values)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%.20s: %v, want %q", c.name, c.value, err, c.want)
		}
	}
	if _, err := p.Choose(nil); err == nil || !strings.Contains(err.Error(), "parameters.replicas: a value is required, and none was given (give a number from 1 to 20)") {
		t.Errorf("without a required one: %v", err)
	}
}

func TestParameterSettingsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{a: {type: text}}`:                          `type: "text" is not known`,
		`{a: {type: choice}}`:                        "parameters.a.options: a choice needs options",
		`{a: {options: [x]}}`:                        "parameters.a.options: a string has no such setting",
		`{a: {type: number, min: 3, max: 1}}`:        "parameters.a.min: 3 is greater than max, 1",
		`{a: {type: number, min: few}}`:              "parameters.a.min must be a number",
		`{a: {min: 3}}`:                              "parameters.a.min: a string has no such setting",
		`{a: {pattern: "("}}`:                        "parameters.a.pattern: error parsing regexp",
		`{a: {type: boolean, default: on}}`:          `parameters.a.default: "on" is no value of it`,
		`{a: {default: x, required: true}}`:          "parameters.a.required: a parameter with a default is never missing",
		`{token: {}}`:                                "parameters.token.env: the variable TOKEN is a secret's",
		`{path: {}}`:                                 "parameters.path.env: no command would run well with another PATH",
		`{a: {env: CODEBUILD_X}}`:                    "parameters.a.env: names with CODEBUILD_ are reserved",
		`{a-b: {}, a_b: {}}`:                         "parameters.a_b.env: parameter a-b sets the variable A_B, too",
		`{"9a": {}}`:                                 "parameters.9a: this is no name of a parameter",
		`{a: {typ: string}}`:                         `unknown key "typ" in projects[0].parameters.a`,
		`{a: {default: 3.10}, b: {default: "3.10"}}`: "",
	} {
		text = fmt.Sprintf("projects:\n  - {name: api, url: \"https://example.com/a.git\", secrets-manager: {TOKEN: app/npm}, parameters: %s}\n", text)
		_, err := Parse("runner.yml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n%v\nwant %q", text, err, want)
		}
	}
}

func TestTheValuesOfABuildAreBoundedTogether(t *testing.T) {
	p := Project{Name: "api", BuildParameters: map[string]Parameter{}}
	values := map[string]string{}
	for i := range 9 {
		name := fmt.Sprintf("p%d", i)
		p.BuildParameters[name], values[name] = Parameter{}, strings.Repeat("x", maxValue)
	}
	if _, err := p.Choose(values); err == nil || !strings.Contains(err.Error(), "the values have 73728 bytes together, and at most 65536 are taken") {
		t.Errorf("%v", err)
	}
	delete(values, "p0")
	if got, err := p.Choose(values); err != nil || len(got) != 8 {
		t.Errorf("%d values, %v", len(got), err)
	}
}
