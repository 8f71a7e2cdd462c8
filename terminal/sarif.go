package terminal

import (
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
)

// The rules that results refer to, two for each kind of file: problems have no codes of their own, but what is wrong and
// what is doubtful are told apart.
var sarifRules = slices.Concat(
	rulesOf(tree.KindBuildspec, "Buildspec", "The buildspec cannot be built", "CodeBuild and Runner refuse the file, or would do something else than it says.",
		"Something in the buildspec is doubtful", "The file can be built, but a part of it has no effect or probably not the one that was meant.",
		"See docs/buildspec.md for the keys of the language and what each may hold."),
	rulesOf(tree.KindConfiguration, "Configuration", "The daemon refuses its configuration", "A daemon does not start with this file, and one that runs keeps the former one.",
		"Something in the configuration is doubtful", "The daemon takes the file, but a part of it has probably not the effect that was meant.",
		"See docs/configuration.md for the keys and what each may hold."),
	rulesOf(tree.KindQuarantine, "Quarantine", "The quarantine of tests cannot be read", "Builds leave the file out: every test that fails counts.",
		"An entry of the quarantine is not in force", "The tests that it names count as all others do.",
		"See docs/tests.md for what an entry holds."),
)

func rulesOf(kind tree.Kind, name, wrong, why, doubtful, whyDoubtful, help string) []sarifRule {
	return []sarifRule{
		{ID: string(kind) + "/error", Name: name + "Error", Short: sarifText{wrong}, Full: sarifText{why}, Help: sarifText{help}, Defaults: sarifLevel{"error"}},
		{ID: string(kind) + "/warning", Name: name + "Warning", Short: sarifText{doubtful}, Full: sarifText{whyDoubtful}, Help: sarifText{help}, Defaults: sarifLevel{"warning"}},
	}
}

const (
	sarifSchema    = "https://json.schemastore.org/sarif-2.1.0.json"
	sarifRoot      = "%SRCROOT%" // what paths are relative to: the root of the repository
	informationURI = "https://github.com/runner-ci/runner"
)

type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID       string     `json:"id"`
		Name     string     `json:"name"`
		Short    sarifText  `json:"shortDescription"`
		Full     sarifText  `json:"fullDescription"`
		Help     sarifText  `json:"help"`
		Defaults sarifLevel `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Index     int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
)

// SARIF writes verdicts as SARIF 2.1.0, which GitHub's code scanning and editors take. version is the tool's.
func SARIF(w io.Writer, version string, verdicts []tree.Verdict) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{"Runner", version, informationURI, sarifRules}},
		Invocations: []sarifInvocation{{Successful: true}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for _, v := range verdicts {
		for _, p := range v.Problems {
			run.Results = append(run.Results, sarifOf(v, p))
		}
		if v.Trouble != "" {
			call := &run.Invocations[0]
			call.Successful = false
			call.Notifications = append(call.Notifications, sarifNotification{
				Level: "error", Message: sarifText{v.Trouble}, Locations: []sarifLocation{sarifAt(v.Path, buildspec.Problem{})},
			})
		}
	}
	return JSON(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifOf(v tree.Verdict, p buildspec.Problem) sarifResult {
	id := string(v.Kind) + "/" + string(p.Severity)
	rule := slices.IndexFunc(sarifRules, func(r sarifRule) bool { return r.ID == id })
	return sarifResult{
		Rule: sarifRules[rule].ID, Index: rule, Level: sarifRules[rule].Defaults.Level,
		Message:   sarifText{plainText(problemText(p))},
		Locations: []sarifLocation{sarifAt(problemPath(v, p), p)},
	}
}

// sarifAt is a place in a file. An absolute path, of a file outside of any repository, has no base.
func sarifAt(file string, p buildspec.Problem) sarifLocation {
	at := sarifPhysical{Artifact: sarifArtifact{URI: (&url.URL{Path: file}).EscapedPath(), Base: sarifRoot}}
	if path.IsAbs(file) {
		at.Artifact = sarifArtifact{URI: (&url.URL{Scheme: "file", Path: file}).String()}
	} else if strings.Contains(strings.SplitN(file, "/", 2)[0], ":") {
		at.Artifact.URI = "./" + at.Artifact.URI // or its beginning would be a scheme
	}
	if p.Line > 0 {
		at.Region = &sarifRegion{Line: p.Line, Column: max(p.Column, 1)}
	}
	return sarifLocation{at}
}
