package config

import (
	"strings"
	"testing"
	"time"
)

func TestHowLongFailedSandboxesAreKept(t *testing.T) {
	for _, tt := range []struct {
		daemon, project string
		want            time.Duration
	}{
		{"", "", 4 * time.Hour}, {"2h", "", 2 * time.Hour}, {"2h", "1d", 24 * time.Hour}, {"off", "", 0}, {"off", "30m", 30 * time.Minute}, {"2h", "off", 0},
	} {
		text := "projects: [{name: api, url: 'https://example.com/api.git'"
		if tt.project != "" {
			text += ", keep-failed: " + tt.project
		}
		text += "}]\n"
		if tt.daemon != "" {
			text += "keep-failed: " + tt.daemon + "\n"
		}
		c, err := Parse("runner.yml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.KeepFailedOf(&c.Projects[0]); got != tt.want {
			t.Errorf("the daemon's %q and the project's %q are %s, want %s", tt.daemon, tt.project, got, tt.want)
		}
	}
	for word, want := range map[string]string{"1": "neither off nor a duration", "10s": "not between", "31d": "not between", "'on'": "neither"} {
		_, err := Parse("runner.yml", []byte("listen: :1\nkeep-failed: "+word+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "runner.yml:2:14") {
			t.Errorf("keep-failed: %s is answered %v", word, err)
		}
	}
}
