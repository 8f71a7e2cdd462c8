package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
)

func TestImagesAreShown(t *testing.T) {
	var b bytes.Buffer
	o := &Output{w: &b}
	lines := imageTable(o, client.Build{Jobs: []client.Job{{Name: "make"}, {Name: "build\x1b[2J", Images: []client.Image{
		{Name: "api", Repository: "r.example.com/a", Tags: []string{"1", "main"}, Digest: "sha256:abc", Size: 3 << 20, Layers: 4, Pushed: true},
		{Name: "docs", Digest: "sha256:def", Size: 10, Layers: 1},
	}}}})
	text := strings.Join(lines, "\n")
	for _, want := range []string{"pushed to", "r.example.com/a:1,main", "not pushed", "sha256:def", "3.1 MB"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b[2J") {
		t.Errorf("the table acts on the terminal: %q", text)
	}
	if none := imageTable(o, client.Build{Jobs: []client.Job{{Name: "make"}}}); none != nil {
		t.Errorf("a build without images shows %q", none)
	}
	if got := imageFacts(buildspec.Image{Name: "api", Dockerfile: "Dockerfile", Push: "r/a", Tags: []string{"{commit}"}}); got != "api of Dockerfile, pushed to r/a:{commit}" {
		t.Error(got)
	}
}
