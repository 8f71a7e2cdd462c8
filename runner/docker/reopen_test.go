package docker

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/runner-ci/runner/runner"
)

// visit runs a line in a sandbox as somebody's shell does.
func visit(t *testing.T, e *Engine, id, line string) (out, errs string, exit int) {
	t.Helper()
	sh, err := e.Shell(t.Context(), id, runner.ShellCommand{Mark: "m" + randomID(), Args: []string{"sh", "-c", line}, Env: []string{"WHO=me"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sh.End(t.Context())
	var stdout, stderr bytes.Buffer
	if err := sh.CloseInput(); err != nil {
		t.Error(err)
	}
	if err := sh.Copy(&stdout, &stderr); err != nil {
		t.Error(err)
	}
	if exit, err = sh.Exit(t.Context()); err != nil {
		t.Error(err)
	}
	return stdout.String(), stderr.String(), exit
}

// TestReopen ends a sandbox and has another process open it again, with a service and without: files are as they were, whatever
// way they came there, and so is what it may reach.
func TestReopen(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		beside := newSpec(t, e, map[string]string{"a": "a\n"})
		beside.Services = []runner.Service{web(beside, "db", "data", "0")}
		specs := []runner.SandboxSpec{beside}
		if e.opts.Workspace != workspaceCopy {
			alone := newSpec(t, e, map[string]string{"a": "a\n"})
			alone.Network = runner.NetworkNone
			specs = append(specs, alone)
		}
		for _, spec := range specs {
			b := start(t, e, spec)
			b.want("echo b >b; echo c >/etc/c; rm -f a; echo a2 >a", "")
			b.conn.Close()
			if err := e.Kill(t.Context(), spec.ID); err != nil {
				t.Fatal(err)
			}
			next, err := New(e.opts)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { next.Close() })
			spec.Network = "" // the sandbox knows better
			for range 2 {     // doing it twice is doing it once
				if err := next.Reopen(t.Context(), spec, nil); err != nil {
					t.Fatal(err)
				}
			}
			if out, errs, exit := visit(t, next, spec.ID, "cat a b /etc/c; echo $WHO; echo no >&2; exit 5"); out != "a2\nb\nc\nme\n" || errs != "no\n" || exit != 5 {
				t.Errorf("it has %q and %q, exit status %d", out, errs, exit)
			}
			if len(spec.Services) == 0 {
				if out, _, _ := visit(t, next, spec.ID, "sleep 300 & echo gone"); out != "gone\n" {
					t.Errorf("a shell that leaves another process its output says %q", out)
				}
			}
			reach, _, _ := visit(t, next, spec.ID, "ls /sys/class/net | grep -v lo && wget -q -O - http://db/")
			if want := map[bool]string{true: "eth0\ndata\n"}[len(spec.Services) > 0]; reach != want {
				t.Errorf("it reaches %q, want %q", reach, want)
			}
			if err := next.Kill(t.Context(), spec.ID); err != nil {
				t.Error(err)
			}
			if _, err := next.Shell(t.Context(), spec.ID, runner.ShellCommand{Args: []string{"true"}}); err == nil {
				t.Error("a shell was opened in what does not run")
			}
		}
	})
}

func TestReopenWhatIsGone(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	if err := e.Reopen(t.Context(), spec, nil); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("opening what was never made: %v", err)
	}
	if _, err := e.Shell(context.WithoutCancel(t.Context()), spec.ID, runner.ShellCommand{Args: []string{"true"}}); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("a shell there: %v", err)
	}
}
