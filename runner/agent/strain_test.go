//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhatTheKernelRefusedIsCounted reads both layouts of control groups.
func TestWhatTheKernelRefusedIsCounted(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"unified": {"memory.events": "low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n", "pids.events": "max 7\n"},
		"by controller": {
			"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "pids/pids.events": "max 7\n",
		},
	} {
		root := t.TempDir()
		if got := readStrain(root); got != (strain{}) {
			t.Errorf("%s: without files it is %v", name, got)
		}
		for path, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := readStrain(root); got != (strain{killed: 2, refused: 7}) {
			t.Errorf("%s: it is %v, want 2 killed and 7 refused", name, got)
		}
	}
	for _, tt := range []struct {
		now, before strain
		want        string
	}{
		{strain{2, 7}, strain{2, 7}, ""},
		{strain{3, 9}, strain{2, 7}, "oom"},
		{strain{2, 8}, strain{2, 7}, "pids_limit"},
		{strain{}, strain{2, 7}, ""},
	} {
		if got, _ := tt.now.since(tt.before).cause(); got != tt.want {
			t.Errorf("%v after %v is named %q, want %q", tt.now, tt.before, got, tt.want)
		}
	}
}
