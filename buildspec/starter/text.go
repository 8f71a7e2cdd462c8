package starter

import (
	"regexp"
	"strings"
)

// writer makes YAML, line by line.
type writer struct {
	b strings.Builder
}

func (w *writer) line(depth int, text string) {
	w.b.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (w *writer) comment(depth int, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		w.line(depth, strings.TrimRight("# "+line, " "))
	}
}

func (w *writer) list(depth int, values []string) {
	for _, v := range values {
		w.line(depth, "- "+scalar(v))
	}
}

// text is the buildspec.
func (r *recipe) text() string {
	w := &writer{}
	w.comment(0, r.title)
	w.line(0, "version: 0.2")
	r.writeEnv(w)
	r.writeBatch(w)
	w.line(0, "")
	w.line(0, "phases:")
	install := r.install
	if r.dir != "." {
		cd := step{why: "The shell is the same in all phases: they all run here.", command: "cd " + r.dir}
		install = append([]step{cd}, install...)
	}
	for _, p := range []struct {
		name  string
		steps []step
	}{{"install", install}, {"pre_build", r.preBuild}, {"build", r.build}, {"post_build", r.postBuild}} {
		writePhase(w, p.name, p.steps)
	}
	r.writeReports(w)
	r.writeCache(w)
	r.writeArtifacts(w)
	return w.b.String()
}

func (r *recipe) writeEnv(w *writer) {
	w.line(0, "")
	w.line(0, "env:")
	why := "The image of the jobs; CodeBuild takes it from its project instead and ignores this key."
	if r.imageWhy != "" {
		why = "The image of the jobs; " + r.imageWhy + ".\nCodeBuild takes it from its project instead and ignores this key."
	}
	w.comment(1, why)
	w.line(1, "image: "+scalar(r.image))
	if r.bash {
		w.line(1, "shell: bash")
	}
	if len(r.variables) > 0 {
		w.line(1, "variables:")
		for _, v := range r.variables {
			w.line(2, v[0]+": "+quoted(v[1]))
		}
	}
}

func (r *recipe) writeBatch(w *writer) {
	switch {
	case r.privileged:
		w.line(0, "")
		w.line(0, "batch:")
		w.line(1, "build-list:")
		w.line(2, "- identifier: image")
		w.line(3, "env:")
		w.comment(4, "An engine of the job's own; the project must permit it.")
		w.line(4, "privileged-mode: true")
	case r.sharded:
		w.line(0, "")
		w.line(0, "batch:")
		w.comment(1, "true: when one shard fails, the others are stopped.")
		w.line(1, "fast-fail: false")
		w.line(1, "build-fanout:")
		w.comment(2, "Jobs at once; each runs a part of the tests.")
		w.line(2, "parallelism: 2")
	}
}

func writePhase(w *writer, name string, steps []step) {
	if len(steps) == 0 {
		return
	}
	w.line(1, name+":")
	w.line(2, "commands:")
	for _, s := range steps {
		w.comment(3, s.why)
		if !strings.Contains(s.command, "\n") {
			w.line(3, "- "+scalar(s.command))
			continue
		}
		w.line(3, "- |")
		for line := range strings.SplitSeq(strings.TrimRight(s.command, "\n"), "\n") {
			w.line(4, line)
		}
	}
}

func (r *recipe) writeReports(w *writer) {
	if r.report == nil {
		return
	}
	w.line(0, "")
	w.line(0, "reports:")
	w.line(1, r.report.group+":")
	w.line(2, "files:")
	w.list(3, r.report.files)
	if r.dir != "." {
		w.line(2, "base-directory: "+scalar(r.dir))
	}
	w.line(2, "file-format: JUNITXML")
}

func (r *recipe) writeCache(w *writer) {
	if r.cache == nil {
		return
	}
	locks := make([]string, len(r.cache.lock))
	for i, name := range r.cache.lock {
		locks[i] = r.in(name)
		if strings.Contains(name, "*") {
			locks[i] = "'" + locks[i] + "'"
		}
	}
	w.line(0, "")
	w.line(0, "cache:")
	w.comment(1, "Written once for each key. When there is none of this key, the newest that begins as below is taken.")
	w.line(1, "key: "+scalar(r.cache.name+"-$(codebuild-hash-files "+strings.Join(locks, " ")+")"))
	w.line(1, "fallback-keys:")
	w.list(2, []string{r.cache.name + "-"})
	w.line(1, "paths:")
	for _, p := range r.cache.paths {
		w.line(2, "- "+scalar(r.in(p)))
	}
}

func (r *recipe) writeArtifacts(w *writer) {
	switch {
	case len(r.artifacts) > 0:
		w.line(0, "")
		w.line(0, "artifacts:")
		w.line(1, "files:")
		w.list(2, r.artifacts)
		if r.dir != "." {
			w.line(1, "base-directory: "+scalar(r.dir))
		}
	case r.onlyTold != "":
		w.line(0, "")
		w.comment(0, r.onlyTold)
	}
}

var (
	// plainScalar is what YAML takes as text when it stands alone: no sign at its beginning, no ": " and " #" in it.
	plainScalar = regexp.MustCompile(`^[A-Za-z./][^\x00-\x1f]*$`)
	// plainPath is a path that a shell takes as one word.
	plainPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]*$`)
)

// scalar is a text as YAML of one line.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !strings.Contains(text, ": ") && !strings.Contains(text, " #") &&
		!strings.HasSuffix(text, ":") && text == strings.TrimSpace(text) && !reserved[strings.ToLower(text)] {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// reserved words are no text when they stand alone.
var reserved = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true, "y": true, "n": true}

func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
