package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type environmentIn struct {
	BuildInput
	Job string `query:"job" maxLength:"200" doc:"id of the job; default: the first"`
}

func (a *api) routeEnvironment() {
	add(a, huma.Operation{
		OperationID: "show-environment", Method: http.MethodGet, Path: buildPath + "/environment", Tags: []string{"builds"},
		Summary: "What a job of a build was given: images, variables without secret values, and what it was told to do",
	}, a.showEnvironment)
}

func (a *api) showEnvironment(ctx context.Context, in *environmentIn) (*jsonOut[client.Environment], error) {
	b, err := a.Scheduler.Build(in.id())
	if err != nil {
		return nil, err
	}
	jobs, err := a.Scheduler.Jobs(in.id())
	if err != nil {
		return nil, err
	}
	j, err := findJob(in.id(), jobs, in.Job)
	if err != nil {
		return nil, err
	}
	e, err := a.Scheduler.Environment(&b, j.ID)
	if err != nil {
		return nil, err
	}
	out := client.Environment{
		Build: in.id(), Job: j.ID, Image: showEnvironmentImage(e.Image), Services: eachOf(e.Services, showEnvironmentImage),
		Variables: []client.EnvironmentVariable{}, Incomplete: b.Given == nil,
	}
	if at := newest(j); at != nil {
		out.Attempt, out.Engine, out.Warm = at.Number, at.Engine, at.Warm
	}
	out.Plan, out.PlanCut = planLines(e.Plan)
	byHand := caller(ctx).grants.May(access.Submit, in.Project)
	for _, v := range e.Variables {
		out.Variables = append(out.Variables, showVariable(in.Project, v, byHand))
	}
	return answer(out)
}

func showEnvironmentImage(i scheduler.NamedImage) client.EnvironmentImage {
	return client.EnvironmentImage{Name: i.Name, ID: i.ID, Digest: i.Digest}
}

// maxShownValue bounds the value of a variable that is told, in bytes.
const maxShownValue = 2000

// showVariable leaves out what may be a secret. byHand says that the caller may see what was set for one build.
func showVariable(project string, v scheduler.Variable, byHand bool) client.EnvironmentVariable {
	out := client.EnvironmentVariable{Name: v.Name, From: v.From, Secret: v.Sealed}
	switch {
	case v.Sealed != "":
		out.Hidden = true
		return out
	case looksSecret(v.Name, v.Value), v.From == scheduler.FromTrigger && !byHand:
		out.Hidden = true
	case len(v.Value) <= maxShownValue:
		out.Value = v.Value
		return out
	default:
		out.Value = strings.ToValidUTF8(v.Value[:maxShownValue], "")
	}
	out.Mark = markOf(project, v.Name, v.Value)
	return out
}

var (
	secretNames  = regexp.MustCompile(`(?i)TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|AUTH|COOKIE|SESSION|_(KEY|PW|PWD|PAT|DSN)$`)
	secretValues = regexp.MustCompile(`://[^/\s@]*:[^/\s@]+@|-----BEGIN |^gh[a-z]_|^github_pat_|^glpat-|^xox[a-z]-|^eyJ[A-Za-z0-9_-]+\.|^AKIA[A-Z0-9]{12}|^rnr_`)
)

// looksSecret tells of a variable that somebody may have put a secret into that belongs into the store.
func looksSecret(name, value string) bool {
	return value != "" && (secretNames.MatchString(name) || secretValues.MatchString(value))
}

// markKey keeps marks from being computed by whoever guesses values. It is new in each process.
var markKey = []byte(rand.Text())

func markOf(project, name, value string) string {
	h := hmac.New(sha256.New, markKey)
	for _, part := range []string{project, name, value} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Bounds of a plan that is told.
const (
	maxPlanLines = 2000
	maxPlanLine  = 500
)

// apart are the fields of a job of a plan that are told elsewhere, or say nothing of what it does.
var apart = []string{"id", "identifier", "name", "image", "env", "batchEnv", "parameters", "secrets", "phases", "services", "dependsOn", "shard"}

// planLines tells what a job does, a line for each command and each setting.
func planLines(pj *buildspec.Job) (lines []string, cut bool) {
	for _, p := range pj.Phases {
		lines = append(lines, phaseLines(p)...)
	}
	var fields map[string]json.RawMessage
	if text, err := json.Marshal(pj); err == nil {
		_ = json.Unmarshal(text, &fields) // an object, which it was made of
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(apart, name) {
			lines = append(lines, name+": "+strings.Trim(string(fields[name]), `"`))
		}
	}
	for i, line := range lines {
		if len(line) > maxPlanLine {
			lines[i], cut = strings.ToValidUTF8(line[:maxPlanLine], ""), true
		}
	}
	if len(lines) > maxPlanLines {
		lines, cut = lines[:maxPlanLines], true
	}
	return lines, cut
}

func phaseLines(p buildspec.Phase) (lines []string) {
	set := func(name, value string) {
		if value != "" {
			lines = append(lines, p.Name+" "+name+": "+value)
		}
	}
	set("run-as", p.RunAs)
	for _, v := range p.Runtimes {
		set("runtime", v.Name+" "+v.Value)
	}
	for _, c := range p.Commands {
		lines = append(lines, p.Name+": "+c.Text)
	}
	for _, c := range p.Finally {
		set("finally", c.Text)
	}
	set("on-failure", p.OnFailure)
	return lines
}
