package config

import (
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestDefaultsAndOverrides(t *testing.T) {
	c, err := Read(env())
	if err != nil || c.Listen != "127.0.0.1:8090" || c.Burst != 40 {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	c, err = Read(env("ROOMS_LISTEN=:80", "ROOMS_RATE=0.5", "ROOMS_SHUTDOWN=1m"))
	if err != nil || c.Listen != ":80" || c.Rate != 0.5 || c.Shutdown != time.Minute {
		t.Errorf("overrides: %+v, %v", c, err)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	_, err := Read(env("ROOMS_RATE=NaN", "ROOMS_BURST=0", "ROOMS_SHUTDOWN=soon"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"ROOMS_RATE=NaN", "ROOMS_BURST=0", "ROOMS_SHUTDOWN=soon"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}
