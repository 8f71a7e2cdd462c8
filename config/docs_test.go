package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// fence is a block of YAML in a page of docs.
	fence = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	// ours is the beginning of what is a configuration, and neither a buildspec nor another program's.
	ours = regexp.MustCompile(`(?m)^(projects|smtp|retention|registries|limits|access|metrics|telemetry|engines|image-aliases|secrets|listen|url):`)
)

// TestTheConfigurationsInTheDocsLoad: somebody will copy them.
func TestTheConfigurationsInTheDocsLoad(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	looked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllStringSubmatch(string(text), -1) {
			block := m[1]
			if !ours.MatchString(block) || strings.HasPrefix(block, "version:") {
				continue
			}
			looked++
			file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.yml", i))
			if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(file); err != nil {
				t.Errorf("%s, block %d of YAML: %v", page, i+1, err)
			}
		}
	}
	if looked < 9 {
		t.Errorf("%d configurations were looked at", looked)
	}
}
