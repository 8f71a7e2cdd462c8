package terminal

import (
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
)

// imageTable lists the images that the jobs' workspaces were built to.
func imageTable(o *Output, b client.Build) []string {
	t := Table{Head: []string{"images", "name", "pushed to", "layers", "size", "digest"}, Right: map[int]bool{3: true, 4: true}}
	for _, job := range b.Jobs {
		for _, i := range job.Images {
			to := "not pushed"
			if i.Pushed {
				to = i.Repository + ":" + strings.Join(i.Tags, ",")
			}
			t.Row(oneLine(job.Name), oneLine(i.Name), oneLine(to), Number(i.Layers), Size(i.Size), oneLine(i.Digest))
		}
	}
	if t.Len() == 0 {
		return nil
	}
	return t.lines(o)
}

// imageFacts are what a plan says of an image.
func imageFacts(i buildspec.Image) string {
	text := i.Name + " of " + i.Dockerfile
	if i.Push != "" {
		text += ", pushed to " + i.Push + ":" + strings.Join(i.Tags, ",")
	}
	return text
}
