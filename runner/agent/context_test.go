//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

func TestWhatImagesAreBuiltOf(t *testing.T) {
	for name, tt := range map[string]struct {
		context []string
		command string
		limit   int64
		want    string // of the tar; "" is none
		says    string // in the result's message
	}{
		"a context and a file beside it": {[]string{"out", "build/Dockerfile"}, "mkdir -p build .git; echo FROM x >build/Dockerfile; echo '*' >build/Dockerfile.dockerignore; echo 1 >build/other", 0,
			"out/= out/.hidden=h out/a.txt=a out/b.log=b out/dangling->nowhere out/dirlink->sub out/etc->/etc out/link->a.txt out/outside->/etc/hostname out/run.sh=#! out/sub/= out/sub/a.txt=sub a build/= build/Dockerfile.dockerignore=* build/Dockerfile=FROM x", ""},
		"all but git's own":      {[]string{".", "Dockerfile"}, "rm -r out* new*; mkdir .git sub; echo 1 >.git/HEAD; mkdir sub/.git; echo 2 >sub/.git/HEAD; echo FROM x >Dockerfile", 0, "Dockerfile=FROM x app.txt=app sub/= sub/.git/= sub/.git/HEAD=2", ""},
		"one that is missing":    {[]string{"no/such"}, "true", 0, "", "no/such is not there"},
		"one that leads out":     {[]string{"up"}, "ln -s /etc up", 0, "", "leads out of the source"},
		"too much":               {[]string{"out"}, "true", 4096, "", "limits.disk of 4096 bytes"},
		"a job that failed":      {[]string{"out"}, "exit 3", 0, "", "exit status 3"},
		"a job without any":      {nil, "true", 0, "", ""},
		"a link within the tree": {[]string{"l"}, "mkdir d; echo 1 >d/f; ln -s d l", 0, "l->d", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			artifactTree(t, s.src)
			job := s.job(tt.command)
			job.Context, job.Limits.FileBytes = tt.context, tt.limit
			res := s.run(job)
			if (res.done.Status == wire.StatusSucceeded) != (tt.says == "") || !strings.Contains(res.done.Message, tt.says) {
				t.Fatalf("it ended %+v, want %q\n%s", res.done, tt.says, res.log)
			}
			path := filepath.Join(s.spool, wire.ContextFile)
			if _, err := os.Lstat(path); (err == nil) != (tt.want != "") {
				t.Fatalf("whether a tar was left: %v", err)
			}
			if tt.want == "" {
				return
			}
			if got := listTar(t, path); got != tt.want {
				t.Errorf("packed is\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
