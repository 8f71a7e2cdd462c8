package main

import (
	"bytes"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// verdictLine is the last line of a run.
var verdictLine = regexp.MustCompile(`^chaos: [1-9][0-9]* kills, 0 lost, 0 doubled, 0 leaked, seed 7$`)

// TestAFewKills is a short run of what make chaos does, with RUNNER_SLOW=1 a longer one, in which the clock jumps, too.
func TestAFewKills(t *testing.T) {
	conn, err := net.DialTimeout("unix", engineSocket, time.Second)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no Docker engine answers: %v", err)
	}
	conn.Close()
	o := options{kills: 6, seed: 7, limit: 9 * time.Second, dir: t.TempDir()}
	if os.Getenv("RUNNER_SLOW") != "" {
		o.kills, o.limit, o.clock = 60, 10*time.Minute, true
	}
	if o.binary, err = buildBinary(t.Context(), t.TempDir(), o.clock); err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	o.out = out
	status := run(t.Context(), o)
	t.Logf("%s", out)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; status != 0 || !verdictLine.MatchString(last) {
		t.Errorf("it exited %d with %q", status, last)
	}
}

// judged is what a judge finds in the log of a build that was to print two lines.
func judged(t *testing.T, log string) verdict {
	t.Helper()
	w := &world{options: options{out: new(bytes.Buffer)}, began: time.Now()}
	j := newJudge(w)
	k := &kind{name: "two", output: func(_ *kind, salt string) string { return salt + "\ndone\n" }}
	r := &request{kind: k, salt: "pepper", build: "two#1"}
	const own = "[Container] 2026/01/02 03:04:05.678901 Running command sh work.sh\n"
	const began = "token 01234567-89ab-cdef-0123-456789abcdef\n"
	j.output(r, client.Job{Attempt: 1}, own+began+"pepper\ndone\n", excuse{})
	if v := j.verdict(); v.bad() {
		t.Fatalf("the log as it should be is judged %+v", v)
	}
	j.output(r, client.Job{Attempt: 1}, strings.NewReplacer("OWN", own, "BEGAN", began).Replace(log), excuse{})
	return j.verdict()
}

func TestTheJudgeSeesEachByteOfALog(t *testing.T) {
	for log, want := range map[string]verdict{
		"OWNBEGANpepper\ndone\n":          {},
		"OWNBEGANpepper\ndone":            {lost: 1},
		"OWNBEGANpepper\n":                {lost: 1},
		"OWNBEGANpepper\ndone\ndone\n":    {lost: 1},
		"OWNBEGANdone\npepper\n":          {lost: 1},
		"BEGANpepper\ndone\n":             {lost: 1}, // a line of the agent's is missing
		"OWNOWNBEGANpepper\ndone\n":       {lost: 1},
		"OWNBEGANBEGANpepper\ndone\n":     {doubled: 1},
		"OWNpepper\ndone\n":               {doubled: 1}, // no beginning is as bad as two
		"OWNBEGANBEGANpepper\npepper\nd ": {lost: 1, doubled: 1},
	} {
		if got := judged(t, log); got != want {
			t.Errorf("%q is judged %+v, want %+v", log, got, want)
		}
	}
}

// TestTheJudgeExcusesNothingElse: a FAULT needs something that was taken away and that can be its cause.
func TestTheJudgeExcusesNothingElse(t *testing.T) {
	for _, c := range []struct {
		name   string
		status string
		reason string
		what   string // outage
		box    bool   // its container was killed
		stray  bool   // a container that nobody was heard of was killed
		bad    bool
	}{
		{name: "a daemon's death excuses nothing", status: "FAULT", reason: "sandbox_lost", bad: true},
		{name: "a container", status: "FAULT", reason: "sandbox_lost", box: true},
		{name: "a container before its job began", status: "FAULT", reason: "sandbox_lost", stray: true},
		{name: "a container is no reason to blame the commands", status: "FAILED", reason: "command_failed", box: true, bad: true},
		{name: "nor to stop", status: "STOPPED", reason: "stopped", box: true, bad: true},
		{name: "the remote", status: "FAULT", reason: "source_unreachable", what: gitFailed},
		{name: "the remote takes no container away", status: "FAULT", reason: "sandbox_lost", what: gitFailed, bad: true},
		{name: "the engine", status: "FAULT", reason: "engine_unavailable", what: engineHung},
		{name: "a service before it was ready", status: "FAILED", reason: "service", what: serviceDied},
		{name: "a service is no reason to blame the commands", status: "FAILED", reason: "command_failed", what: serviceDied, bad: true},
		{name: "without a reason", status: "FAULT", what: diskFull, bad: true},
		{name: "a full disk", status: "FAILED", reason: "command_failed", what: diskFull},
	} {
		w := &world{options: options{out: new(bytes.Buffer)}, began: time.Now(), witness: &witness{heard: map[string][]testimony{"k#1": {{"t", "box"}}}}}
		j := newJudge(w)
		w.judge = j
		if c.what != "" {
			j.begins(c.what)()
		}
		if c.box {
			j.killed([]string{"box"}, true)
		}
		if c.stray {
			j.killed([]string{"another"}, false)
		}
		r := &request{kind: &kind{name: "k", status: "SUCCEEDED", serves: true}, build: "k#1", at: time.Now().Add(-time.Second)}
		j.build(t.Context(), r, client.Build{ID: "k#1", Status: c.status, Reason: c.reason, Message: c.reason, Jobs: []client.Job{{Attempt: 1}}})
		if got := j.verdict().bad(); got != c.bad {
			t.Errorf("%s: bad is %t, want %t: %s", c.name, got, c.bad, w.options.out)
		}
	}
}
