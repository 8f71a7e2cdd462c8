package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestDirectoriesThatAJobMayHaveMounted refuses what no agent asks for.
func TestDirectoriesThatAJobMayHaveMounted(t *testing.T) {
	many := make([]string, wire.MaxCacheDirs+1)
	for i := range many {
		many[i] = "source/" + string(rune('a'+i))
	}
	for _, dirs := range [][]string{
		{"source"}, {"source/"}, {"source/."}, {"source/.."}, {"source/../x"}, {"source//x"}, {"source/x/"}, {"source//"}, {"source/x/../../y"},
		{"source/a\x00b"}, {"source/b", "source/a"}, {"source/a", "source/a"}, {"source/a", "source/a!", "source/a/b"}, many,
	} {
		if err := checkDirs(dirs); err == nil {
			t.Errorf("%q are allowed", dirs)
		}
	}
	if err := checkDirs([]string{"home/.npm", "root/opt/x", "source/a", "source/a b", "source/ab"}); err != nil {
		t.Error(err)
	}
}

// TestNothingOfACommitIsHidden looks at snapshots, which are strangers' too.
func TestNothingOfACommitIsHidden(t *testing.T) {
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "web/there"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"file": "", "link": "/etc", "dir": "web"} {
		var err error
		if to == "" {
			err = os.WriteFile(filepath.Join(tree, name), nil, 0o644)
		} else {
			err = os.Symlink(to, filepath.Join(tree, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for rel, want := range map[string]string{
		"web/modules": "", "new/deep/er": "", "web/there/x": "",
		"web/there": "has web/there itself", "web": "itself", "file": "itself", "link": "itself",
		"file/x": "no directory", "link/x": "no directory", "dir/modules": "no directory", ".git/hooks": "not the cache's",
	} {
		err := clearOf(tree, rel)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rel, err, want)
		}
	}
	if err := clearOf("", ".git"); err == nil {
		t.Error(".git of no commit is the cache's")
	}
}

// TestNothingIsMountedUnderCommands has a job ask for a cache, in its agent's name, when its commands have begun.
func TestNothingIsMountedUnderCommands(t *testing.T) {
	s := &session{rec: newTestRecorder(t, newStore(t), 0, &told{})}
	for _, f := range []wire.Frame{frame(t, 1, wire.PhaseBegan{Phase: wire.PhaseInstall}), frame(t, 2, wire.CommandBegan{Phase: wire.PhaseInstall})} {
		if s.commanded.Load() {
			t.Error("commands are said to have begun before one did")
		}
		if _, err := s.take(t.Context(), &pump{welcomed: true}, f, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cannotLayer(t.Context(), nil, []string{"source/x"}, ""); err == nil || !strings.Contains(err.Error(), "have begun") {
		t.Errorf("asked afterwards: %v", err)
	}
}
