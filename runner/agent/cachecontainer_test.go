//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// talkIn gives a job to an agent in a container.
func talkIn(t *testing.T, s *sandbox, job wire.Job) *talk {
	t.Helper()
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = write
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	t.Cleanup(func() { out.Close() })
	go func() { s.exited <- s.cmd.Wait() }()
	s.send(hello, job)
	return &talk{s: s, r: wire.NewReader(out)}
}

// TestACacheAndReportsInContainers has root as its user: files keep their owners, and a job that is stopped is asked
// for its reports when all processes but the agent are gone.
func TestACacheAndReportsInContainers(t *testing.T) {
	for _, image := range images(t) {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			spec := &wire.CacheSpec{Paths: []string{"deps", "/root/.m2/**/*", "/var/tmp/x"}, Restore: true, Save: true}
			first, id := contained(t, image)
			job := first.job(`mkdir -p deps/sub /root/.m2/r /var/tmp/x; echo 1 >deps/sub/f; chown -R 1234:77 deps; chmod 2750 deps/sub; echo 2 >/root/.m2/r/jar; chmod 700 /root/.m2; ln -s f deps/sub/l`)
			job.Cache = spec
			k := talkIn(t, first, job)
			first.send(wire.Answer{ID: k.request().ID, Cache: &wire.CacheAnswer{}})
			if res := k.end(); res.done.Cache == nil {
				t.Fatalf("ended %+v\n%s", res.done, res.log)
			}
			archive := filepath.Join(t.TempDir(), wire.RestoreFile)
			docker(t, "cp", id+":"+DefaultSpool+"/"+wire.CacheFile, archive)

			second, id := contained(t, image)
			job = second.job(`stat -c '%n %u %g %a' deps deps/sub deps/sub/f deps/sub/l /root/.m2 /root/.m2/r/jar /var/tmp/x; echo 1 >r.xml; GROUP=unit`, `trap '' TERM; sleep 600 & sleep 600`)
			job.Cache = spec
			job.Reports = []wire.ReportSpec{{Group: "$GROUP", Files: []string{"*.xml"}, Format: "JUNITXML"}}
			k = talkIn(t, second, job)
			req := k.request()
			docker(t, "cp", archive, id+":"+DefaultSpool+"/"+wire.RestoreFile)
			second.send(wire.Answer{ID: req.ID, Cache: &wire.CacheAnswer{Hit: true}})
			k.until(func(wire.Frame) bool { return strings.Contains(k.res.log, "Running command trap") })
			second.send(wire.Stop{Status: wire.StatusStopped, GraceMillis: 100})
			res := k.end()
			want := "deps 1234 77 755\ndeps/sub 1234 77 750\ndeps/sub/f 1234 77 644\ndeps/sub/l 0 77 777\n/root/.m2 0 0 700\n/root/.m2/r/jar 0 0 644\n/var/tmp/x 0 0 755\n"
			if res.output() != want {
				t.Errorf("the second job found %q, want %q\n%s", res.output(), want, res.log)
			}
			if res.done.Status != wire.StatusStopped || groupsOf(res.done.Reports) != "unit JUNITXML 1" {
				t.Errorf("ended %+v, reports %s\n%s", res.done, groupsOf(res.done.Reports), res.log)
			}
		})
	}
}
