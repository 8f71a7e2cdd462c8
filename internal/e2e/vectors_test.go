package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/githost"
)

// vectors are what the language does when it runs: buildspec/testdata/runtime, one file a case, in a form that any
// other implementation can run. testdata/README.md tells it.
const vectors = "../../buildspec/testdata/runtime"

// vector is one case: a repository, and what its builds come to, one after the other.
type vector struct {
	name    string
	files   map[string]string
	later   map[int]map[string]string // files that change before build n
	project []string                  // settings
	secrets map[string]string
	want    []string // lines of what build n, from 0, comes to
}

func readVector(t *testing.T, path string) vector {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := vector{
		name:  strings.TrimSuffix(filepath.Base(path), ".txt"),
		files: map[string]string{}, later: map[int]map[string]string{}, secrets: map[string]string{},
	}
	if !regexp.MustCompile(`(?m)^covers: \S`).Match(archive.Comment) {
		t.Errorf("%s does not say what it covers: write a line covers: SECTION", path)
	}
	for _, f := range archive.Files {
		text := string(f.Data)
		switch {
		case f.Name == "want" || strings.HasPrefix(f.Name, "want "):
			v.want = append(v.want, text)
		case f.Name == "project":
			v.project = strings.Split(strings.TrimSpace(text), "\n")
		case strings.HasPrefix(f.Name, "secret "):
			v.secrets[strings.TrimPrefix(f.Name, "secret ")] = strings.TrimSuffix(text, "\n")
		default:
			n, name := 0, f.Name
			if first, rest, ok := strings.Cut(f.Name, "/"); ok {
				if k, err := strconv.Atoi(first); err == nil {
					n, name = k-1, rest
				}
			}
			if n == 0 {
				v.files[name] = text
				continue
			}
			if v.later[n] == nil {
				v.later[n] = map[string]string{}
			}
			v.later[n][name] = text
		}
	}
	if len(v.want) == 0 {
		t.Fatalf("%s has no section want", path)
	}
	return v
}

// vectorEngines are the engines of the vectors' daemon. Few vectors need a network, which is half of an engine's work for a
// container; in slow runs all have one.
func vectorEngines() string {
	network := "none"
	if os.Getenv("RUNNER_SLOW") != "" {
		network = ""
	}
	return "engines: [{id: offline, network: '" + network + "'}, {id: online}]\n"
}

// settings are the vector's project in runner.yml. Its image, which most vectors do not name, is the smallest.
func (v vector) settings(url string) string {
	lines := v.project
	if strings.Contains(v.files["buildspec.yml"], "services:") {
		lines = append(lines, "engine: online")
	}
	if !strings.HasPrefix(strings.Join(lines, "\n"), "image:") {
		lines = append(lines, "image: "+image)
	}
	return project(v.name, url, lines...)
}

// TestRuntimeVectors pushes every vector's repository at one daemon and compares what becomes of it.
func TestRuntimeVectors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in %s: %v", vectors, err)
	}
	git := newGitServer(t)
	var cases []vector
	var projects []string
	repos, urls, commits := map[string]*githost.Repo{}, map[string]string{}, map[string]string{}
	for _, path := range paths {
		v := readVector(t, path)
		cases = append(cases, v)
		repos[v.name], urls[v.name], commits[v.name] = git.repo(v.name, v.files)
		projects = append(projects, v.settings(urls[v.name]))
	}
	if out, err := exec.Command("../../scripts/images", "debian:latest").CombinedOutput(); err != nil {
		t.Fatalf("making the image with bash: %v\n%s", err, out)
	}
	d := newDaemon(t, vectorEngines()+"slots: 4\nsecrets: {key-file: "+filepath.Join(t.TempDir(), "key")+"}\n", projects...)
	t.Run("all", func(t *testing.T) { // returns when the parallel ones have ended, before the daemon goes
		for _, v := range cases {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				v.run(t, d, repos[v.name], urls[v.name], commits[v.name])
			})
		}
	})
}

func (v vector) run(t *testing.T, d *daemon, repo *githost.Repo, url, commit string) {
	for name, value := range v.secrets {
		file := filepath.Join(t.TempDir(), "value")
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, errs, exit := d.runCLI(t.TempDir(), "secret", "set", name, "--project", v.name, "--file", file); exit != 0 {
			t.Fatalf("runner secret set %s exited %d:\n%s%s", name, exit, out, errs)
		}
	}
	for n, want := range v.want {
		if n > 0 {
			changes := v.later[n]
			if changes == nil {
				changes = map[string]string{"build-number": strconv.Itoa(n + 1)}
			}
			for name, text := range changes {
				if err := repo.Write(name, text); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			if commit, err = repo.Commit(t.Context(), fmt.Sprintf("build %d", n+1)); err != nil {
				t.Fatal(err)
			}
		}
		b := d.build(d.push(url, commit))
		newJudge(t, d, b).compare(want)
		if t.Failed() {
			t.Fatalf("build %d of the vector: %s\nits log:\n%s", n+1, outline(b), d.logs(b))
		}
	}
}

func outline(b client.Build) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s (%s: %s)", b.ID, b.Status, b.Reason, b.Message)
	for _, j := range b.Jobs {
		fmt.Fprintf(&s, "\n  %s %s attempt %d (%s: %s)", j.ID, j.Status, j.Attempt, j.Reason, j.Message)
		for _, p := range j.Phases {
			fmt.Fprintf(&s, " %s=%s", p.Name, p.Status)
		}
	}
	for _, w := range b.Warnings {
		s.WriteString("\n  warning: " + w)
	}
	return s.String()
}

// judge compares one ended build with the lines of a vector.
type judge struct {
	t     *testing.T
	d     *daemon
	b     client.Build
	lines []string // of the log, without times
	at    int      // in lines: what was found, in builds of one job, where order counts
}

var containerTime = regexp.MustCompile(`^\[Container\] [0-9/]+ [0-9:.]+ `)

func newJudge(t *testing.T, d *daemon, b client.Build) *judge {
	j := &judge{t: t, d: d, b: b}
	for line := range strings.SplitSeq(d.logs(b), "\n") {
		j.lines = append(j.lines, containerTime.ReplaceAllString(line, ""))
	}
	return j
}

func (j *judge) compare(want string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(want, "\n"), "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		check, ok := verbs[verb]
		if !ok {
			j.t.Errorf("the vector says %q: there is no such check", line)
			continue
		}
		if problem := check(j, rest); problem != "" {
			j.t.Errorf("%s: %s", line, problem)
		}
	}
}

func differs[T comparable](got, want T) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %v", got)
}

func contains(text, part string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return fmt.Sprintf("got %q", text)
}

// verbs are the checks that a vector's lines can ask for. Each returns what is wrong.
var verbs = map[string]func(j *judge, rest string) string{
	"status":  func(j *judge, rest string) string { return differs(j.b.Status, rest) },
	"reason":  func(j *judge, rest string) string { return differs(j.b.Reason, rest) },
	"message": func(j *judge, rest string) string { return contains(j.b.Message, rest) },
	"warning": func(j *judge, rest string) string { return contains(strings.Join(j.b.Warnings, "\n"), rest) },
	"jobs":    func(j *judge, rest string) string { return differs(strconv.Itoa(len(j.b.Jobs)), rest) },
	"attempts": func(j *judge, rest string) string {
		return differs(strconv.Itoa(j.b.Jobs[0].Attempt), rest)
	},
	"command":    func(j *judge, rest string) string { return differs(j.b.Jobs[0].Command, rest) },
	"phase":      (*judge).phase,
	"nophase":    func(j *judge, rest string) string { return differs(phaseStatus(j.b.Jobs[0].Phases, rest), "") },
	"buildphase": (*judge).buildPhase,
	"job":        (*judge).job,
	"log":        (*judge).log,
	"nolog":      (*judge).noLog,
	"exported":   (*judge).exported,
	"noexported": (*judge).notExported,

	"artifacts":    (*judge).artifactSets,
	"artifact":     (*judge).artifact,
	"artifactlink": (*judge).artifactLink,
	"noartifact":   (*judge).noArtifact,
	"report":       (*judge).report,
	"noreport":     (*judge).noReport,
	"reportfiles":  (*judge).reportFiles,
	"tests":        (*judge).tests,
	"coverage":     (*judge).coverage,
}

func phaseStatus(phases []client.Phase, name string) string {
	for _, p := range phases {
		if p.Name == name {
			return p.Status
		}
	}
	return ""
}

func (j *judge) phase(rest string) string {
	name, status, _ := strings.Cut(rest, " ")
	if len(j.b.Jobs) == 0 {
		return "the build has no job"
	}
	return differs(phaseStatus(j.b.Jobs[0].Phases, name), status)
}

func (j *judge) buildPhase(rest string) string {
	name, status, _ := strings.Cut(rest, " ")
	return differs(phaseStatus(j.b.Phases, name), status)
}

func (j *judge) job(rest string) string {
	id, want, _ := strings.Cut(rest, " ")
	status, reason, _ := strings.Cut(want, " ")
	for _, job := range j.b.Jobs {
		if job.ID == id {
			return cmp.Or(differs(job.Status, status), differs(job.Reason, cmp.Or(reason, job.Reason)))
		}
	}
	return "there is no such job"
}

// log looks for a line that begins with a text; in builds of one job, behind the line that was found before.
func (j *judge) log(rest string) string {
	from := j.at
	if len(j.b.Jobs) != 1 {
		from = 0
	}
	for i, line := range j.lines[from:] {
		if strings.HasPrefix(line, rest) {
			j.at = from + i + 1
			return ""
		}
	}
	return "no such line in the log behind the one before"
}

func (j *judge) noLog(rest string) string {
	for _, line := range j.lines {
		if strings.Contains(line, rest) {
			return fmt.Sprintf("the log has the line %q", line)
		}
	}
	return ""
}

// read returns a file of an artifact: "path", or "id:path" of a secondary one.
func (j *judge) read(name string) (string, error) {
	dir, of := j.t.TempDir(), client.PrimaryArtifact
	if id, path, ok := strings.Cut(name, ":"); ok {
		of, name = id, path
	}
	args := []string{"artifacts", j.b.ID, "--out", dir, "--artifact", of}
	out, errs, exit := j.d.runCLI(dir, args...)
	if exit != 0 {
		return "", fmt.Errorf("runner artifacts exited %d: %s%s", exit, out, errs)
	}
	info, err := os.Lstat(filepath.Join(dir, name))
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(filepath.Join(dir, name))
		return "link " + target, err
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	return string(bytes.TrimRight(text, "\n")), err
}

func (j *judge) artifact(rest string) string {
	name, want, _ := strings.Cut(rest, " ")
	got, err := j.read(name)
	if err != nil {
		return err.Error()
	}
	return differs(got, want)
}

func (j *judge) artifactLink(rest string) string {
	name, target, _ := strings.Cut(rest, " ")
	return j.artifact(name + " link " + target)
}

func (j *judge) noArtifact(rest string) string {
	if got, err := j.read(rest); err == nil {
		return fmt.Sprintf("it is there, and holds %q", got)
	}
	return ""
}

func (j *judge) artifactSets(rest string) string {
	sets, err := j.d.Artifacts(j.t.Context(), j.b.ID)
	if err != nil {
		return err.Error()
	}
	return differs(strconv.Itoa(len(sets)), rest)
}

func (j *judge) variable(name string) (string, bool) {
	for _, job := range j.b.Jobs {
		for _, v := range job.Exported {
			if v.Name == name {
				return v.Value, true
			}
		}
	}
	return "", false
}

func (j *judge) exported(rest string) string {
	name, want, _ := strings.Cut(rest, "=")
	got, _ := j.variable(name)
	return differs(got, want)
}

func (j *judge) notExported(rest string) string {
	if value, ok := j.variable(rest); ok {
		return fmt.Sprintf("it is exported as %q", value)
	}
	return ""
}

// report is "group format files".
func (j *judge) report(rest string) string {
	var all []string
	for _, job := range j.b.Jobs {
		for _, g := range job.Reports {
			text := fmt.Sprintf("%s %s %d", g.Name, g.Format, g.Files)
			if text == rest {
				return ""
			}
			all = append(all, text)
		}
	}
	return fmt.Sprintf("got %q", all)
}

func (j *judge) noReport(rest string) string {
	for _, job := range j.b.Jobs {
		for _, g := range job.Reports {
			if g.Name == rest && g.Files > 0 {
				return fmt.Sprintf("it has %d files", g.Files)
			}
		}
	}
	return ""
}

func (j *judge) reportFiles(rest string) string {
	sets, err := j.d.Reports(j.t.Context(), j.b.ID)
	if err != nil {
		return err.Error()
	}
	n := 0
	for _, s := range sets {
		n += len(s.Files)
	}
	return differs(strconv.Itoa(n), rest)
}
