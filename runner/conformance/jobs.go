package conformance

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

func echo(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	rec := b.run(b.job(
		"echo out; echo err >&2",
		"printf 'no newline'",
		"cat hello.txt pkg/deep.txt .git/HEAD",
		`echo "env: $CONFORMANCE_ENV"`,
	))
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\nout\nerr\n", "\nno newline\n", "\nhello from the snapshot\ndeep\nref: refs/heads/main\n", "\nenv: from the admin\n")
	want := []string{"INSTALL SUCCEEDED", "PRE_BUILD SUCCEEDED", "BUILD SUCCEEDED", "POST_BUILD SUCCEEDED", "UPLOAD_ARTIFACTS SUCCEEDED"}
	if !slices.Equal(rec.phases, want) {
		t.Errorf("phases %q, want %q", rec.phases, want)
	}
	if rec.gaps > 0 || rec.began != 4 || len(rec.commands) != 4 {
		t.Errorf("%d gaps, %d commands began, %d ended", rec.gaps, rec.began, len(rec.commands))
	}
	if state := b.waitEnded(); state.OOMKilled || state.Error != "" {
		t.Errorf("the sandbox ended as %+v", state)
	}
}

func snapshotStaysWhole(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	rec := b.run(b.job("echo changed >hello.txt", "rm -r pkg", "echo new >new.txt", "cat hello.txt"))
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\nchanged\n")
	b.waitEnded()
	if text, err := os.ReadFile(filepath.Join(b.spec.Tree, "hello.txt")); err != nil || string(text) != "hello from the snapshot\n" {
		t.Errorf("hello.txt of the snapshot is now %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(b.spec.Tree, "pkg", "deep.txt")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(b.spec.Tree, "new.txt")); err == nil {
		t.Error("the job made a file in the snapshot")
	}
}

func exitStatuses(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	tests := []struct {
		command string
		exit    int
		status  wire.Status
	}{
		{"exit 0", 0, wire.StatusSucceeded},
		{"exit 37", 37, wire.StatusFailed},
		{"no-such-command-anywhere", 127, wire.StatusFailed},
		{"kill -9 $$", 137, wire.StatusFailed},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			b := newBox(t, ex, image)
			rec := b.run(b.job(tt.command, "echo after"))
			rec.wantStatus(tt.status)
			if rec.done.Exit != tt.exit || rec.commands[0].Exit != tt.exit {
				t.Errorf("exit %d and %d, want %d", rec.done.Exit, rec.commands[0].Exit, tt.exit)
			}
			if tt.exit == 0 {
				rec.wantLog("\nafter\n")
			} else {
				rec.wantNotInLog("\nafter\n")
			}
		})
	}
}

func stateAcrossCommands(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	job := b.job(
		`echo "plain=$PLAIN exported=$EXPORTED dir=${PWD##*/}"`,
		`exit 0`,
		`echo "again plain=$PLAIN exported=$EXPORTED dir=${PWD##*/}"; greet`,
	)
	job.Phases[1].Commands = []string{"PLAIN='two  words'", "export EXPORTED=yes", "cd pkg", "greet() { echo hi from a function; }", "greet", "set -e"}
	job.Phases[2].Commands[2] = `echo "again plain=$PLAIN exported=$EXPORTED dir=${PWD##*/}"; sh -c 'echo "child $EXPORTED$PLAIN"'`
	rec := b.run(job)
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("plain=two  words exported=yes dir=pkg\n", "\nhi from a function\n",
		"\nagain plain=two  words exported=yes dir=pkg\n", "\nchild yes\n")
}

func stdinIsEmpty(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	rec := b.run(b.job("cat; echo cat said $?", "readlink /proc/self/fd/0", "read -r line || echo nothing to read"))
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\ncat said 0\n", "\n/dev/null\n", "\nnothing to read\n")
}

func separateWorkspaces(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	first, second := newBox(t, ex, image), newBox(t, ex, image)
	rec := first.run(first.job("echo mine >mine.txt", "echo changed >hello.txt"))
	rec.wantStatus(wire.StatusSucceeded)
	rec = second.run(second.job("test ! -e mine.txt", "cat hello.txt"))
	rec.wantStatus(wire.StatusSucceeded)
	rec.wantLog("\nhello from the snapshot\n")
}

func artifactsInSpool(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	job := b.job("mkdir out; echo one >out/a.txt; printf 'two' >out/b.bin", "VERSION=1.2")
	job.Artifacts = &wire.ArtifactSpec{Files: []string{"out/*", "hello.txt"}, Name: "app-$VERSION"}
	rec := b.run(job)
	rec.wantStatus(wire.StatusSucceeded)
	if rec.arts == nil || rec.arts.File != wire.ArtifactsFile || rec.arts.Files != 3 || rec.arts.Name != "app-1.2" {
		t.Fatalf("artifacts frame %+v; the log is:\n%s", rec.arts, &rec.log)
	}
	if rec.done.Artifacts == nil || *rec.done.Artifacts != *rec.arts {
		t.Errorf("done repeats them as %+v", rec.done.Artifacts)
	}
	if _, err := b.ex.Open(t.Context(), b.spec.ID, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening a file that is missing: %v, want fs.ErrNotExist", err)
	}
	got := readTar(t, b)
	want := map[string]string{"out/a.txt": "one\n", "out/b.bin": "two", "hello.txt": "hello from the snapshot\n"}
	for name, text := range want {
		if !bytes.Equal(got[name], []byte(text)) {
			t.Errorf("%s holds %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the tar holds %d files, want %d", len(got), len(want))
	}
}
