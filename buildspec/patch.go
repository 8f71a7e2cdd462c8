package buildspec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// mostPatchPatterns bounds the patterns of x-runner.patch.
const mostPatchPatterns = 100

// patch is the list of patterns for files that the build may change for whoever submitted them.
func (c *checker) patch(e entry) []string {
	what := runnerSection.path(e.key)
	patterns := c.texts(e, what)
	if len(patterns) > mostPatchPatterns {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%s has %d patterns, and %d are allowed", what, len(patterns), mostPatchPatterns),
			hint:    "write wider ones: '**/*.go'",
		})
		return nil
	}
	for _, p := range patterns {
		if path.IsAbs(p) || slices.Contains(strings.Split(p, "/"), "..") || strings.TrimSpace(p) == "" {
			c.fail(e.at, complaint{
				message: fmt.Sprintf("%s: %q does not lie in the source directory, and what lies elsewhere cannot be changed for anybody", what, shorten(p)),
				hint:    "write it from the repository's root: 'src/**/*.go'",
			})
			return nil
		}
	}
	return patterns
}
