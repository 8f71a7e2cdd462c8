package agent

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/wire"
)

// onlyWanted leaves of the tests those that whoever asked for the build wants: of each pattern what it matches as a whole or,
// where it has no slash, by the last part of the name.
func onlyWanted(all []string, wanted string) ([]string, error) {
	var patterns []glob.Pattern
	for line := range strings.Lines(wanted) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p, err := glob.Parse(line)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, p)
	}
	if len(patterns) == 0 {
		return all, nil
	}
	var some []string
	for _, name := range all {
		clean := path.Clean(name)
		if slices.ContainsFunc(patterns, func(p glob.Pattern) bool {
			return p.String() == name || p.Match(clean) || !strings.Contains(p.String(), "/") && p.Match(path.Base(clean))
		}) {
			some = append(some, name)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("none of the %d tests matches %s, which is all that is to run; the first of them is %s",
			len(all), strings.Join(strings.Fields(wanted), " or "), all[0])
	}
	return some, nil
}

// narrowed is onlyWanted by the environment, told in the log.
func narrowed(all []string) ([]string, error) {
	some, err := onlyWanted(all, os.Getenv(wire.OnlyVar))
	if err == nil && len(some) < len(all) {
		fmt.Printf("codebuild-tests-run: %d of %d test files, as %s says\n", len(some), len(all), wire.OnlyVar)
	}
	return some, err
}
