package starter

import "testing"

func TestWithin(t *testing.T) {
	python := []string{"3.13", "3.12", "3.11", "3.10", "3.9", "3.14"}
	node := []string{"22", "24", "20", "18"}
	for _, c := range []struct {
		ranges string
		known  []string
		want   string
	}{
		{">=3.9", python, "3.13"},
		{">=3.9,<3.12", python, "3.11"},
		{">=3.9, <=3.10", python, "3.10"},
		{"==3.10.*", python, "3.10"},
		{"~=3.10", python, "3.13"},
		{"~=3.10.2", python, "3.10"},
		{"^3.10", python, "3.13"},
		{">=3.14", python, "3.14"},
		{">=3.20", python, "3.20"},
		{">3.8,!=3.13.0", python, "3.13"},
		{"<3.11.5", python, "3.11"},
		{"", python, "3.13"},
		{"*", python, "3.13"},
		{">=18", node, "22"},
		{">=18 <21", node, "20"},
		{"^18.12.0", node, "18"},
		{"18.x", node, "18"},
		{"18", node, "18"},
		{"v20.11.1", node, "20"},
		{"^16 || ^20", node, "20"},
		{">= 24.0.0", node, "24"},
		{"lts/*", node, "22"},
		{"$(reboot)", node, "22"},
	} {
		if got := within(c.ranges, c.known...); got != c.want {
			t.Errorf("within(%q) = %q, want %q", c.ranges, got, c.want)
		}
	}
}

// FuzzVersions: what goes into an image's tag is digits and points, whatever a stranger's file says.
func FuzzVersions(f *testing.F) {
	for _, text := range []string{"v20.11.1", ">=3.9,<3.12", "1.2.3.4", "20; id", "99999999999999999999.1", "==\n3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, version := range []string{exact(text), within(text, "3.13", "3.12"), within(text, "22"), cutTo(leading(text), 1)} {
			if version != "" && !versionText.MatchString(version) {
				t.Errorf("%q became the version %q", text, version)
			}
		}
	})
}
