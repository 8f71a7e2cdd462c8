package e2e

import (
	"strings"

	"github.com/runner-ci/runner/client"
)

// assertOutline holds what is stored of a build's commands against its log: each begins at the line that names it, and where its
// offset says.
func (d *daemon) assertOutline(b client.Build, commands int) {
	d.t.Helper()
	log := d.logs(b)
	lines := strings.Split(log, "\n")
	out, err := d.LogOutline(d.t.Context(), b.ID, client.LogPlace{})
	if err != nil {
		d.t.Fatal(err)
	}
	found := 0
	for _, s := range out.Sections {
		want := "Entering phase " + s.Phase
		if s.Kind == "command" {
			want = "Running command " + s.Text
			found++
		}
		if s.First > int64(len(lines)) || !strings.HasSuffix(lines[s.First-1], want) {
			d.t.Errorf("%s %s is said to begin with line %d, which is %q", s.Kind, want, s.First, lines[min(s.First, int64(len(lines)))-1])
		}
	}
	if shown := b.Jobs[0].Commands; found != commands || len(shown) != commands {
		d.t.Errorf("the outline has %d commands, the build %d, want %d:\n%+v", found, len(shown), commands, out.Sections)
	}
	for _, c := range b.Jobs[0].Commands {
		if line, _, _ := strings.Cut(log[c.Offset:], "\n"); !strings.HasSuffix(line, "Running command "+c.Text) {
			d.t.Errorf("command %q is said to begin at byte %d, where the log has %q", c.Text, c.Offset, line)
		}
	}
}
