package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhoIsShownWhat(t *testing.T) {
	load := func(text string) (*Config, error) {
		file := filepath.Join(t.TempDir(), "runner.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file)
	}
	project := func(settings string) string {
		return "projects: [{name: api, url: 'https://a/b.git'" + settings + "}]\n"
	}
	for text, indexed := range map[string]bool{
		project(""):                                                           false,
		project(", visibility: public"):                                       false,
		project(", visibility: public, robots: allow"):                        true,
		project(", robots: allow"):                                            false, // there is nothing to index
		"robots: allow\n" + project(", visibility: public"):                   true,
		"robots: allow\n" + project(", visibility: public, robots: disallow"): false,
	} {
		c, err := load(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.Projects[0].Indexed(c.Robots); got != indexed {
			t.Errorf("%s: indexed %v", text, got)
		}
	}
	for settings, token := range map[string]bool{"": false, ", badge: off": false, ", badge: token": true, ", badge: 'token:2'": true} {
		if c, err := load(project(settings)); err != nil || c.Projects[0].BadgeWithToken() != token {
			t.Errorf("%s: %v", settings, err)
		}
	}
	for text, want := range map[string]string{
		"robots: allowed\n":                `did you mean "allow"?`,
		project(", robots: maybe"):         "write disallow or allow",
		project(", badge: tokens"):         "token:WORD",
		project(", badge: 'token:'"):       "token:WORD",
		project(", badge: 'token:a b'"):    "token:WORD",
		project(", badge: \"token:a\\n\""): "token:WORD",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "runner.yml:1:") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
