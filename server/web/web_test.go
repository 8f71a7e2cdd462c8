package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNothingIsInline: the policy of the pages forbids styles and scripts within HTML, so that a browser would leave them out.
func TestNothingIsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|<script(?:>|[^>]*[^>]>[^<])`)
	names, err := templateFiles.ReadDir("templates")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, entry := range names {
		text, err := templateFiles.ReadFile("templates/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if inline.MatchString(line) {
				t.Errorf("templates/%s:%d has what the policy forbids: %s", entry.Name(), n+1, line)
			}
		}
	}
}

// TestEveryAssetIsServed: a file that no page names would be dead weight in the binary.
func TestEveryAssetIsServed(t *testing.T) {
	served := map[string]bool{"vendor/idiomorph.LICENSE": true} // the license goes with the file that is served
	for _, name := range slices.Concat(bundle, logBundle, sheets, singles) {
		served[name] = true
	}
	for _, folder := range []string{"", "css/", "vendor/"} {
		entries, err := assetFiles.ReadDir(strings.TrimSuffix("assets/"+folder, "/"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() && !served[folder+e.Name()] {
				t.Errorf("assets/%s%s is served nowhere", folder, e.Name())
			}
		}
	}
}
