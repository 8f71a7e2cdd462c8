package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

// Fact is one thing that was otherwise.
type Fact struct {
	Job    string `json:"job,omitempty"` // empty: the build, or all jobs that were compared
	What   string `json:"what"`          // commit, image, variable, plan, …
	Name   string `json:"name,omitempty"`
	Green  string `json:"green,omitempty"`
	Red    string `json:"red,omitempty"`
	Absent string `json:"absent,omitempty"` // "green" or "red": that one has none of it
	Hidden bool   `json:"hidden,omitempty"` // the values are not told
	Note   string `json:"note,omitempty"`
}

// Values of Absent.
const (
	inGreen = "green"
	inRed   = "red"
)

// facts collects what is otherwise.
type facts struct {
	job  string
	list []Fact
}

func (f *facts) differs(what, name, green, red string) {
	if green == red {
		return
	}
	fact := Fact{Job: f.job, What: what, Name: name, Green: green, Red: red}
	switch {
	case green == "":
		fact.Absent = inGreen
	case red == "":
		fact.Absent = inRed
	}
	f.list = append(f.list, fact)
}

// Builds tells what two builds were made of, as far as it is not the same. Both must have their jobs.
func Builds(green, red client.Build) []Fact {
	var f facts
	f.differs("commit", "", green.Commit, red.Commit)
	if len(f.list) > 0 && green.Tree != "" && green.Tree == red.Tree {
		f.list[0].Note = "of the same tree"
	}
	if len(f.list) == 0 {
		f.differs("tree", "", green.Tree, red.Tree)
	}
	f.differs("ref", "", ref(green), ref(red))
	f.differs("kind", "", green.Kind, red.Kind)
	f.differs("trusted", "", strconv.FormatBool(green.Trusted), strconv.FormatBool(red.Trusted))
	f.differs("fork", "", strconv.FormatBool(green.Fork), strconv.FormatBool(red.Fork))
	params := func(b client.Build) map[string]string {
		out := map[string]string{}
		for _, p := range b.Parameters {
			out[p.Name] = p.Value
		}
		return out
	}
	f.each("parameter", params(green), params(red))
	f.lists("job", jobNames(green), jobNames(red))
	return f.list
}

// ref is a build's, as far as it is not its own alone: each tree that is submitted has one.
func ref(b client.Build) string {
	if strings.HasPrefix(b.Ref, "refs/runner/") {
		return "working tree"
	}
	return strings.TrimPrefix(strings.TrimPrefix(b.Ref, "refs/heads/"), "refs/tags/")
}

func jobNames(b client.Build) (out []string) {
	for _, j := range b.Jobs {
		out = append(out, j.ID)
	}
	return out
}

// each compares values by name.
func (f *facts) each(what string, green, red map[string]string) {
	names := maps.Clone(green)
	maps.Copy(names, red)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		g, inG := green[name]
		r, inR := red[name]
		if inG == inR && g == r {
			continue
		}
		fact := Fact{Job: f.job, What: what, Name: name, Green: g, Red: r}
		if !inG {
			fact.Absent = inGreen
		} else if !inR {
			fact.Absent = inRed
		}
		f.list = append(f.list, fact)
	}
}

// lists compares lists without regard to the order.
func (f *facts) lists(what string, green, red []string) {
	surplus := map[string]int{}
	for _, x := range red {
		surplus[x]++
	}
	for _, x := range green {
		if surplus[x]--; surplus[x] < 0 {
			surplus[x] = 0
			f.list = append(f.list, Fact{Job: f.job, What: what, Green: x, Absent: inRed})
		}
	}
	for _, x := range slices.Backward(red) {
		if surplus[x] > 0 {
			surplus[x]--
			f.list = append(f.list, Fact{Job: f.job, What: what, Red: x, Absent: inGreen})
		}
	}
}

// Jobs tells how one job was otherwise in two builds, besides how it ended.
func Jobs(green, red client.Job) []Fact {
	f := facts{job: red.ID}
	exported := func(j client.Job) map[string]string {
		out := map[string]string{}
		for _, v := range j.Exported {
			out[v.Name] = v.Value
		}
		return out
	}
	f.each("exported", exported(green), exported(red))
	f.differs("attempts", "", strconv.Itoa(max(green.Attempt, 1)), strconv.Itoa(max(red.Attempt, 1)))
	f.differs("result taken from", "", green.TakenFrom, red.TakenFrom)
	return f.list
}

// ofEachBuild are the variables that differ in any two builds, and say nothing that is not told elsewhere.
var ofEachBuild = []string{
	"CODEBUILD_BUILD_ID", "CODEBUILD_BUILD_ARN", "CODEBUILD_BUILD_NUMBER", "CODEBUILD_BUILD_URL", "CODEBUILD_BUILD_IMAGE",
	"CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_SOURCE_VERSION", "CODEBUILD_WEBHOOK_PREV_COMMIT", "CODEBUILD_WEBHOOK_HEAD_REF",
	"CODEBUILD_WEBHOOK_TRIGGER",
}

// Environments tells what one job was given otherwise.
func Environments(green, red client.Environment) []Fact {
	f := facts{job: red.Job}
	f.image("image", green.Image, red.Image)
	for i := range max(len(green.Services), len(red.Services)) {
		f.image("service", at(green.Services, i), at(red.Services, i))
	}
	f.differs("engine", "", green.Engine, red.Engine)
	if green.Attempt > 0 && red.Attempt > 0 {
		f.differs("sandbox", "", warmth(green.Warm), warmth(red.Warm))
	}
	f.variables(green.Variables, red.Variables)
	f.lists("plan", green.Plan, red.Plan)
	return f.list
}

func at(images []client.EnvironmentImage, i int) (out client.EnvironmentImage) {
	if i < len(images) {
		out = images[i]
	}
	return out
}

func warmth(warm bool) string {
	if warm {
		return "made ahead"
	}
	return "made for it"
}

// image compares what images are called, then which ones they were.
func (f *facts) image(what string, green, red client.EnvironmentImage) {
	f.differs(what, "", green.Name, red.Name)
	if green.Name == red.Name && green.ID != red.ID {
		f.differs(what, green.Name, cmp.Or(green.Digest, green.ID), cmp.Or(red.Digest, red.ID))
		if green.Digest == red.Digest && green.Digest != "" {
			f.differs(what, green.Name, green.ID, red.ID)
		}
	}
}

func (f *facts) variables(green, red []client.EnvironmentVariable) {
	byName := func(vars []client.EnvironmentVariable) map[string]client.EnvironmentVariable {
		out := map[string]client.EnvironmentVariable{}
		for _, v := range vars {
			if !slices.Contains(ofEachBuild, v.Name) {
				out[v.Name] = v
			}
		}
		return out
	}
	greens, reds := byName(green), byName(red)
	names := maps.Clone(greens)
	maps.Copy(names, reds)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		g, inG := greens[name]
		r, inR := reds[name]
		fact := Fact{Job: f.job, What: "variable", Name: name, Green: value(g), Red: value(r), Hidden: g.Hidden || r.Hidden}
		switch {
		case !inG:
			fact.Absent = inGreen
		case !inR:
			fact.Absent = inRed
		case g.Secret != r.Secret, g.Value != r.Value, g.Mark != r.Mark:
		default:
			continue
		}
		if inG && inR && g.From != r.From {
			fact.Note = fmt.Sprintf("from %s, then from %s", g.From, r.From)
		} else {
			fact.Note = "from " + cmp.Or(r.From, g.From)
		}
		f.list = append(f.list, fact)
	}
}

// value is what may be told of a variable.
func value(v client.EnvironmentVariable) string {
	switch {
	case v.Secret != "":
		return "secret " + v.Secret
	case v.Hidden:
		return ""
	case v.Mark != "":
		return v.Value + "…"
	}
	return v.Value
}

// Together makes one fact of those that are the same for each of several jobs, and puts it where the first was.
func Together(all []Fact, jobs int) []Fact {
	count := map[Fact]int{}
	bare := func(f Fact) Fact { f.Job = ""; return f }
	for _, f := range all {
		count[bare(f)]++
	}
	var out []Fact
	told := map[Fact]bool{}
	for _, f := range all {
		b := bare(f)
		if f.Job == "" || count[b] < jobs {
			out = append(out, f)
			continue
		}
		if !told[b] {
			told[b] = true
			out = append(out, b)
		}
	}
	return out
}

// Describe is a fact's name for people: "variable GOFLAGS".
func (f Fact) Describe() string { return strings.TrimSpace(f.What + " " + f.Name) }
