package conformance

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// truncatedSpool tells of a job that empties its own record. What it destroyed is missed, the rest arrives.
func truncatedSpool(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	spool := b.ex.Paths(b.spec.ID).Spool
	c := b.attach(1, 0)
	c.send(b.job(
		"echo before",
		fmt.Sprintf(`: >%q/frames; echo garbage >>%q/frames`, spool, spool),
		"echo after",
	))
	rec := &record{t: t}
	rec.followToEnd(c)
	c.close()
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\nafter\n")
	b.waitEnded()
	rec = b.spooled()
	rec.wantStatus(wire.StatusSucceeded)
	if rec.gaps == 0 {
		t.Error("a reader of the truncated spool cannot see that frames are missing")
	}
}

// swappedSpool tells of a job that puts other things in the place of its spool's files, in the hope that the
// daemon, which is root, reads or waits for something that is not the job's business.
func swappedSpool(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	spool := b.ex.Paths(b.spec.ID).Spool
	rec := b.run(b.job(
		fmt.Sprintf("cd %q", spool),
		"ln -s /etc/passwd link; ln -s frames inner-link; ln -s /etc etc; mkfifo fifo; mkdir dir; echo x >dir/file",
		"mv frames frames.real; ln -s /etc/passwd frames",
		fmt.Sprintf("cd /; mv %q %q.away && ln -s /etc %q || echo the spool itself stays", spool, spool, spool),
	))
	rec.wantStatus(wire.StatusSucceeded)
	b.waitEnded()
	names := []string{
		"link", "inner-link", "fifo", "dir", "etc", "frames", "etc/passwd", "dir/file", "passwd", "group",
		"../upper/.git/HEAD", "/etc/passwd", "..", ".", "", "frames\x00",
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			f, err := b.ex.Open(ctx, b.spec.ID, name)
			if err == nil {
				head, _ := io.ReadAll(io.LimitReader(f, 64))
				f.Close()
				t.Fatalf("it was opened, and begins with %q", head)
			}
		})
	}
}
