package artifacts

import (
	"slices"
	"strings"
	"testing"
)

// TestStrangeNamesAreKept takes names that Linux allows as they are: each is a file of its own, none becomes another.
func TestStrangeNamesAreKept(t *testing.T) {
	names := []string{
		"A", "a", "new\nline", "\xff\xfe", "dot.", "dot..", "space ", "back\\slash", "C:", "nul", "-rf", "tab\t", "\u200bzero", "e\u0301", "\u00e9",
		strings.Repeat("n", maxNameBytes), strings.Repeat("d/", maxPathBytes/2-1) + "x",
	}
	var all []entry
	for _, name := range names {
		all = append(all, text(name, name))
	}
	s := newStore(t)
	put(t, s, "set", all...)
	set, err := s.Set("set")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(set.Files, func(f File) bool { return f.Path == name }) {
			t.Errorf("%.40q is gone", name)
		} else if got := content(t, s, "set", name); string(got) != name {
			t.Errorf("%.40q holds %.40q", name, got)
		}
	}
	clean(t, s)
}
