package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestWhatIsKeptIsTold as long as it is there, and of several jobs each with its name.
func TestWhatIsKeptIsTold(t *testing.T) {
	kept := func(id string, in time.Duration) client.Job {
		return client.Job{ID: id, Name: id, State: "ended", Status: failed, Kept: &client.Kept{Until: time.Now().Add(in)}}
	}
	told := func(jobs ...client.Job) string {
		var out bytes.Buffer
		Next(New(&out), client.Build{ID: "api#1", Status: failed, Jobs: jobs}, nil)
		return out.String()
	}
	if got := told(kept("a", time.Hour)); !strings.Contains(got, "runner shell api#1 --at failed   (until ") {
		t.Errorf("of one it says:\n%s", got)
	}
	if got := told(kept("a", -time.Second)); strings.Contains(got, "runner shell") {
		t.Errorf("of one whose time is over it says:\n%s", got)
	}
	got := told(kept("a", time.Hour), kept("b\x1b[2J", time.Hour), kept("c", time.Hour), kept("d", time.Hour), kept("e", time.Hour))
	if !strings.Contains(got, "--at failed --job a ") || strings.Contains(got, "--job d") || !strings.Contains(got, "and 2 more, by --job") || strings.Contains(got, "\x1b") {
		t.Errorf("of five it says:\n%q", got)
	}
}

func TestAShellSaysWhereItIs(t *testing.T) {
	var out bytes.Buffer
	o := New(&out)
	ShellPlace(o, "api#1", client.ShellBegan{Job: "build", At: "failed", Image: "golang\x1b[2J", Until: time.Now().AddDate(0, 0, 1), Withheld: []string{"A", "B"}})
	ShellPlace(o, "api#1", client.ShellBegan{Job: "build", At: "running"})
	Summary(o, client.Build{ID: "api#1", Status: succeeded, Jobs: []client.Job{{Name: "build", Entered: "ann"}}}, nil)
	for _, want := range []string{"kept until 20", "Not here: the secrets A, B", "beside the commands", "note: ann went into build"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("it passes on what a terminal acts upon: %q", out.String())
	}
}
