package conformance

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

func oneBox(t *testing.T, newExecutor New) *box {
	t.Helper()
	ex, image := newExecutor(t)
	return newBox(t, ex, image)
}

// stubborn is a tree of processes that ignores TERM.
const stubborn = `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo ready; while :; do sleep 1; done`

func stopIgnoringTree(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	job := b.job(stubborn)
	job.Phases[2].Finally = []string{"echo finally ran"}
	job.Phases[3].Commands = []string{"echo post_build ran"}
	c := b.attach(1, 0)
	defer c.close()
	c.send(job)
	rec := &record{t: t}
	for !strings.Contains(rec.log.String(), "\nready\n") {
		rec.take(c.read())
	}
	c.send(wire.Stop{Status: wire.StatusStopped, Reason: "superseded", GraceMillis: 200})
	rec.followToEnd(c)
	rec.wantStatus(wire.StatusStopped)
	if rec.done.Reason != "superseded" {
		t.Errorf("reason %q, want the one that stop gave", rec.done.Reason)
	}
	rec.wantNotInLog("finally ran\n", "post_build ran\n")
	b.waitEnded()
}

func timeLimit(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	job := b.job(stubborn)
	job.Phases[2].Finally = []string{"echo finally ran"}
	job.Limits = wire.Limits{TimeoutMillis: 300, GraceMillis: 100}
	rec := b.run(job)
	rec.wantStatus(wire.StatusTimedOut)
	rec.wantNotInLog("finally ran\n")
	b.waitEnded()
}

func detachAndAttach(t *testing.T, newExecutor New) {
	const lines = 30_000
	b := oneBox(t, newExecutor)
	rec := &record{t: t}
	c := b.attach(1, 0)
	c.send(b.job(fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; done`, lines)))
	attaches := 1
	for ; rec.some(c, 3); attaches++ {
		c.close()
		if c = b.tryAttach(uint64(attaches+1), rec.last); c == nil {
			break
		}
	}
	if c != nil {
		c.close()
	}
	if rec.done == nil { // the agent ended between two attaches, or while one was made
		b.waitEnded()
		rec.rest(b.spooled())
	}
	t.Logf("attached %d times", attaches)
	rec.wantStatus(wire.StatusSucceeded)
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	if rec.gaps > 0 {
		t.Errorf("%d frames are missing", rec.gaps)
	}
	if !strings.Contains(rec.log.String(), want.String()) {
		t.Errorf("the log of %d bytes does not hold the %d lines as they were printed", rec.log.Len(), lines)
	}
}

func stalledReader(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	c := b.attach(1, 0)
	defer c.close()
	c.send(b.job(`i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo "$i 0123456789012345678901234567890123456789012345678901234567890123456789"; done`))
	// Nobody reads c. The job must come to its end all the same.
	deadline := time.Now().Add(patience)
	for {
		rec := b.spooled()
		if rec.done != nil {
			rec.wantStatus(wire.StatusSucceeded)
			rec.wantLog("\n4000 0123456789")
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the job waits for its reader")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func olderEpoch(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	first := b.attach(5, 0)
	first.close()
	old := b.dial(4, 0)
	for {
		f := old.read()
		if f.Kind == wire.KindRefused {
			break
		}
		if f.Kind != wire.KindWelcome {
			t.Fatalf("an older epoch was answered with %s", f.Kind)
		}
	}
	old.send(b.job("echo a job of the old daemon")) // must not be taken either
	old.close()
	rec := &record{t: t}
	c := b.attach(6, 0)
	defer c.close()
	c.send(b.job("echo a job of the new daemon"))
	rec.followToEnd(c)
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\na job of the new daemon\n")
	rec.wantNotInLog("\na job of the old daemon\n")
}

func secondAttempt(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	job := b.job("echo began", "sleep 1; echo first")
	c := b.attach(1, 0)
	defer c.close()
	c.send(job)
	c.send(job) // the same one again is no news
	other := b.job("echo second")
	other.Attempt = "conformance#1/build@2"
	c.send(other)
	rec, refused := &record{t: t}, false
	for rec.done == nil {
		f := c.read()
		refused = refused || f.Kind == wire.KindRefused
		rec.take(f)
	}
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantNotInLog("\nsecond\n")
	if !refused {
		t.Error("another attempt was not refused")
	}
	if n := strings.Count(rec.log.String(), "\nfirst\n"); n != 1 {
		t.Errorf("the job ran %d times", n)
	}
}

func resultFromSpool(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	c := b.attach(1, 0)
	c.send(b.job("echo began", "sleep 0.3; echo alone", "exit 3"))
	for c.read().Seq == 0 { // until the agent has the job
		continue
	}
	c.close()
	b.waitEnded()
	rec := b.spooled()
	rec.wantStatus(wire.StatusFailed)
	rec.wantLog("\nalone\n")
	if rec.gaps > 0 || rec.done.Exit != 3 {
		t.Errorf("%d gaps, exit %d", rec.gaps, rec.done.Exit)
	}
}

func twiceIsOnce(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	b := newBox(t, ex, image)
	if err := ex.Create(t.Context(), b.spec); err != nil {
		t.Fatalf("creating it again: %v", err)
	}
	ids, err := ex.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id != b.spec.ID })); n != 1 {
		t.Errorf("the sandbox is listed %d times in %q", n, ids)
	}
	b.run(b.job("echo once")).wantStatus(wire.StatusSucceeded)
	for range 2 {
		if err := ex.Remove(t.Context(), b.spec.ID); err != nil {
			t.Fatalf("removing: %v", err)
		}
	}
	if _, err := ex.Inspect(t.Context(), b.spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("inspecting what was removed: %v", err)
	}
	if ids, err = ex.List(t.Context()); err != nil || slices.Contains(ids, b.spec.ID) {
		t.Errorf("still listed in %q, %v", ids, err)
	}
}

func killLeavesSpool(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	c := b.attach(1, 0)
	defer c.close()
	c.send(b.job(stubborn))
	rec := &record{t: t}
	for !strings.Contains(rec.log.String(), "\nready\n") {
		rec.take(c.read())
	}
	for range 2 {
		if err := b.ex.Kill(t.Context(), b.spec.ID); err != nil {
			t.Fatalf("killing: %v", err)
		}
	}
	b.waitEnded()
	rec = b.spooled()
	rec.wantLog("\nready\n")
	if rec.done != nil {
		t.Errorf("a killed agent said %+v", *rec.done)
	}
}

func unknownSandbox(t *testing.T, newExecutor New) {
	ex, _ := newExecutor(t)
	id := randomID(t)
	_, inspect := ex.Inspect(t.Context(), id)
	_, attach := ex.Attach(t.Context(), id)
	for name, err := range map[string]error{"Inspect": inspect, "Attach": attach, "Kill": ex.Kill(t.Context(), id)} {
		if !errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("%s of an unknown sandbox: %v, want ErrNoSandbox", name, err)
		}
	}
	if _, err := ex.Open(t.Context(), id, wire.SpoolFile); !errors.Is(err, runner.ErrNoSandbox) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of an unknown sandbox: %v", err)
	}
	if err := ex.Remove(t.Context(), id); err != nil {
		t.Errorf("Remove of an unknown sandbox: %v", err)
	}
}

// readTar reads the packed artifacts through Open.
func readTar(t *testing.T, b *box) map[string][]byte {
	t.Helper()
	f, err := b.ex.Open(t.Context(), b.spec.ID, wire.ArtifactsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{}
	tr := tar.NewReader(f)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[hdr.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}
