package buildspec

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

const docsFile = "../docs/buildspec.md"

// keyRow is a row of the table of every key: section, key, status, how and why, vector.
var keyRow = regexp.MustCompile("(?m)^\\| (\\d\\.\\d) \\| `([^`]+)` \\| ([^|]+) \\| ([^|]*) \\| `([^`]+)` \\|$")

// statuses are what a key can be here.
var statuses = []string{"supported", "different on purpose", "not applicable here"}

// TestEveryKeyIsDocumented: docs/buildspec.md has a row for each key of the list, and no other; what is not plainly
// supported says why; the vectors exist.
func TestEveryKeyIsDocumented(t *testing.T) {
	text := fileText(t, docsFile)
	var rows []string
	for _, m := range keyRow.FindAllStringSubmatch(text, -1) {
		rows = append(rows, m[1]+" "+m[2])
		if !slices.Contains(statuses, m[3]) {
			t.Errorf("%s: the status %q is none of %v", m[2], m[3], statuses)
		}
		if m[3] != statuses[0] && strings.TrimSpace(m[4]) == "" {
			t.Errorf("%s is %s, and the table does not say why", m[2], m[3])
		}
		if !slices.Contains(sectionsOf(t, m[5]), m[1]) {
			t.Errorf("%s: the vector %s does not say that it covers %s", m[2], m[5], m[1])
		}
	}
	for _, key := range listedKeys(t) {
		if !slices.Contains(rows, key) {
			t.Errorf("%s has no row for %s", docsFile, key)
		}
	}
	for i, row := range rows {
		if !slices.Contains(listedKeys(t), row) {
			t.Errorf("%s has a row for %s, which is not in testdata/keys.txt", docsFile, row)
		}
		if slices.Contains(rows[:i], row) {
			t.Errorf("%s has two rows for %s", docsFile, row)
		}
	}
}

// sectionsOf are the sections of the fact sheet that a vector says it covers.
func sectionsOf(t *testing.T, vector string) (sections []string) {
	t.Helper()
	for _, m := range covers.FindAllStringSubmatch(fileText(t, vectors+"/"+vector+".txt"), -1) {
		section, _, _ := strings.Cut(m[1], " ")
		sections = append(sections, section)
	}
	return sections
}

// TestVectorsCoverTheSheet: there is a case for each section that is about the language and for each question that
// CodeBuild's documentation leaves to the parser, and there are many.
func TestVectorsCoverTheSheet(t *testing.T) {
	covered := map[string]int{}
	cases := 0
	eachVector(t, func(name string, _ *txtar.Archive) {
		cases++
		for _, section := range sectionsOf(t, name) {
			covered[section]++
		}
	})
	for _, section := range []string{
		"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6",
		"3.3", "4.6", "4.8", "4.10", "6.7", "6.8", "6.9", "6.11", "6.12",
	} {
		if covered[section] == 0 {
			t.Errorf("no case covers section %s", section)
		}
	}
	if cases < 150 {
		t.Errorf("there are %d cases", cases)
	}
}

// TestEveryKeyIsListed: what the parser reads is in the list of keys, and the other way round.
func TestEveryKeyIsListed(t *testing.T) {
	var listed, known []string
	for _, key := range listedKeys(t) {
		_, path, _ := strings.Cut(key, " ")
		if path, value, _ := strings.Cut(path, ": "); value == "" && !openName(path) {
			listed = append(listed, path)
		}
	}
	for _, s := range allSections() {
		for _, k := range s.keys {
			if path := listedPath(s, k.name); path != "" && !slices.Contains(known, path) {
				known = append(known, path)
			}
		}
	}
	for _, path := range known {
		if !slices.Contains(listed, path) {
			t.Errorf("the parser reads %s, which is not in testdata/keys.txt", path)
		}
	}
	for _, path := range listed {
		if !slices.Contains(known, path) {
			t.Errorf("testdata/keys.txt has %s, which the parser does not know", path)
		}
	}
}

// openName tells whether a path ends with a name that the file chooses, or is one of an entry's keys once more.
func openName(path string) bool {
	return strings.HasSuffix(path, ">") || strings.HasPrefix(path, "batch.build-matrix.static.env.")
}

// listedPath is how the list writes a key of the parser's tables, "" for what it does not hold: env.image, and what real
// files have beyond the documentation.
func listedPath(s section, key string) string {
	path := s.path(key)
	switch path {
	case "env.image", "batch.build-matrix.static", "batch.build-matrix.dynamic", "batch.build-matrix.static.env",
		"batch.build-matrix.dynamic.env", "batch.build-matrix.dynamic.env.type", "batch.build-matrix.dynamic.env.privileged-mode",
		"batch.build-matrix.dynamic.env.variables", "artifacts.secondary-artifacts.<id>.s3-prefix", "artifacts.secondary-artifacts.<id>.type":
		return ""
	}
	if s.name == entryEnvSection.name {
		return "batch.<entry>.env." + key
	}
	if phase, ok := strings.CutPrefix(s.name, "phases."); ok && key != "runtime-versions" && phase != "" {
		return "phases.<phase>." + key
	}
	return path
}

// TestChoicesNameVectors: a vector that the text names in brackets exists.
func TestChoicesNameVectors(t *testing.T) {
	_, choices, ok := strings.Cut(fileText(t, docsFile), "## Where CodeBuild's documentation is silent")
	if !ok {
		t.Fatalf("%s does not say what is chosen where CodeBuild is silent", docsFile)
	}
	choices, _, _ = strings.Cut(choices, "\n## ")
	named := regexp.MustCompile("\\((`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*)\\)").FindAllStringSubmatch(choices, -1)
	if len(named) < 20 {
		t.Errorf("only %d choices name a vector", len(named))
	}
	for _, m := range named {
		for name := range strings.SplitSeq(m[1], ", ") {
			if _, err := os.Stat(vectors + "/" + strings.Trim(name, "`") + ".txt"); err != nil {
				t.Errorf("%s names the vector %s, which does not exist", docsFile, name)
			}
		}
	}
}

// listedKeys are the lines of the list of keys: section and path.
func listedKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for line := range strings.SplitSeq(fileText(t, "testdata/keys.txt"), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, line)
		}
	}
	return keys
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
