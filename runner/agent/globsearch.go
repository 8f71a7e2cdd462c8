package agent

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
)

const globSearchUsage = `usage: codebuild-glob-search GLOB [GLOB…]

Prints the files that match, one a line, sorted, relative to the working directory. * stops at a slash, ** crosses
it. Quote the globs, or the shell expands them first. The directory .git is searched only by globs that name it.

Exit status: 0, also when nothing matches, which a message on standard error says; 1 if a directory cannot be
read; 2 for a wrong command line.
`

// globSearch is the tool codebuild-glob-search.
func globSearch(args []string) int {
	if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(os.Stderr, globSearchUsage)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	files, err := searchGlobs(".", args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "codebuild-glob-search: %v\n", err)
		return 1
	}
	if len(files) == 0 {
		fmt.Fprintf(os.Stderr, "codebuild-glob-search: no file matches %s\n", strings.Join(args, " "))
		return 0
	}
	out := bufio.NewWriter(os.Stdout)
	for _, file := range files {
		fmt.Fprintln(out, file)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintf(os.Stderr, "codebuild-glob-search: %v\n", err)
		return 1
	}
	return 0
}

// searchGlobs returns the files below dir that match any of the globs, by their names relative to it. Absolute globs,
// and those that lead out of dir, are searched from where they lead and their files named in that form.
func searchGlobs(dir string, globs []string) ([]string, error) {
	byRoot := map[string][]glob.Pattern{}
	for _, text := range globs {
		root, rel := ".", text
		if filepath.IsAbs(text) {
			root, rel = "/", text
		}
		for strings.HasPrefix(rel, "../") {
			root, rel = path.Join(root, ".."), strings.TrimPrefix(rel, "../")
		}
		p, err := glob.Parse(rel)
		if err != nil {
			return nil, err
		}
		byRoot[root] = append(byRoot[root], p)
	}
	var files []string
	for root, patterns := range byRoot {
		from := root
		if !filepath.IsAbs(from) {
			from = filepath.Join(dir, root)
		}
		opts := glob.Options{Skip: func(dir string) bool { return path.Base(dir) == ".git" && !namesGit(patterns) }}
		err := glob.Walk(from, patterns, opts, func(f glob.Found) error {
			if f.Type.IsRegular() || leadsToFile(filepath.Join(from, f.Name)) {
				files = append(files, path.Join(root, f.Name))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

func namesGit(patterns []glob.Pattern) bool {
	return slices.ContainsFunc(patterns, func(p glob.Pattern) bool { return strings.Contains(p.String(), ".git/") })
}

func leadsToFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// within tells whether a clean absolute path lies below a directory, and where.
func within(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return rel, true
}
