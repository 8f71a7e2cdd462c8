package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// oddSpec is a build whose shards run these commands, by phase.
func oddSpec(build, after string) string {
	return `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: false
  build-fanout:
    parallelism: 3
phases:
  build:
    commands:
      - |
        ` + strings.ReplaceAll(build, "\n", "\n        ") + `
  post_build:
    commands:
      - |
        ` + strings.ReplaceAll(after, "\n", "\n        ") + `
x-runner:
  sharding: queue
`
}

// TestOddSuites has what suites seldom have, each in a build of its own.
func TestOddSuites(t *testing.T) {
	t.Parallel()
	const run = `codebuild-tests-run --test-command 'sh run.sh' --files-search `
	many := make([]string, 0, 5000)
	for i := range 5000 {
		many = append(many, fmt.Sprintf("pkg/of/some/length/test_%04d.sh", i))
	}
	for _, tt := range []struct {
		name, build, after, status string
		once                       []string // what the shards together say once each
		says                       []string // what the logs say somewhere
	}{
		{
			name:  "two calls in a command and one in the next phase",
			build: run + `"echo a; echo b; echo c" && ` + run + `"echo d; echo e"`, after: run + `"echo a; echo f"`, status: "SUCCEEDED",
			once: []string{"b", "c", "d", "e", "f"}, says: []string{"ran <a>"},
		},
		{
			name:  "names that shells do not like",
			build: run + `"cat names"`, after: "true", status: "SUCCEEDED",
			once: []string{"it's here", `a "quoted" one`, "$HOME/`id`", "-rf", "ünï cödé", "two  blanks", `back\slash`, "*"},
		},
		{
			name:  "a shard that finds other files",
			build: run + `"echo a; echo b; [ \$RUNNER_SHARD_INDEX = 1 ] && echo mine || true"`, after: "true", status: "FAILED",
			says: []string{"the files search must print the same list in every shard"},
		},
		{name: "no files", build: run + "true", after: "true", status: "FAILED", says: []string{"found no test file, so no shard would test anything"}},
		{name: "5,000 files", build: run + `"cat many"`, after: "true", status: "SUCCEEDED", once: many},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			git := newGitServer(t)
			_, url, commit := git.repo("odd", map[string]string{
				"buildspec.yml": oddSpec(tt.build, tt.after),
				"run.sh":        "for f in \"$@\"; do printf 'ran <%s>\\n' \"$f\"; done\n",
				"names":         strings.Join(tt.once, "\n") + "\n",
				"many":          strings.Join(many, "\n") + "\n",
			})
			d := newDaemon(t, "slots: 3\n", project("odd", url))
			b := d.ended(d.push(url, commit), tt.status)
			log := d.logs(b)
			for _, name := range tt.once {
				if n := strings.Count(log, "ran <"+name+">\n"); n != 1 {
					t.Fatalf("%q ran %d times, want once\n%.20000s", name, n, log)
				}
			}
			for _, want := range tt.says {
				if !strings.Contains(log, want) {
					t.Errorf("no shard says %q:\n%.20000s", want, log)
				}
			}
			d.assertClean()
		})
	}
}
