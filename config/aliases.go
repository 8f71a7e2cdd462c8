package config

import (
	"maps"
	"slices"
	"strings"
)

// The images that CodeBuild calls its own have names of no registry; AWS publishes them here.
const (
	curatedImages   = "aws/codebuild/*"
	publishedImages = "public.ecr.aws/codebuild/*"
)

// ImageFor is the image that is taken for a reference by image-aliases, "" where none says anything. A reference in
// full goes before a beginning with *, a longer beginning before a shorter one.
func (c *Config) ImageFor(ref string) string {
	to, rest := c.ImageAliases[ref], ""
	if to == "" {
		longest := -1
		for from, replacement := range c.ImageAliases {
			begin, open := strings.CutSuffix(from, "*")
			if open && len(begin) > longest && strings.HasPrefix(ref, begin) {
				to, rest, longest = replacement, ref[len(begin):], len(begin)
			}
		}
	}
	if to = strings.Replace(to, "*", rest, 1); to == ref {
		return ""
	}
	return to
}

func (c *Config) checkAliases(f *faults) {
	for _, from := range slices.Sorted(maps.Keys(c.ImageAliases)) {
		to, at := c.ImageAliases[from], "image-aliases."+from
		begin, open := strings.CutSuffix(from, "*")
		switch {
		case begin == "" || strings.ContainsAny(begin, "* \t\n"):
			f.add(at, "write an image, or how its name begins with * behind it: aws/codebuild/*", "%q is no image to replace", clip(from))
		case strings.Trim(to, "*") == "" || strings.ContainsAny(to, " \t\n") || strings.HasPrefix(to, "-") || strings.Count(to, "*") > 1:
			f.add(at, "write the image that is taken, with one * for what the other's * stands for: registry.example.com/codebuild/*", "%q is no image", clip(to))
		case !open && strings.Contains(to, "*"):
			f.add(at, "write the image in full, or put * behind the name that it replaces", "%q has a *, and %q has none that it could stand for", clip(to), clip(from))
		}
	}
}
