package starter

import (
	"fmt"
	"path"
)

// recipe is what a buildspec is to hold, before it is text.
type recipe struct {
	dir       string // of the project in the repository, "." for its root
	title     string // the first comment
	image     string
	imageWhy  string // where the version comes from
	bash      bool   // the commands need bash
	variables [][2]string

	privileged bool // one job with an engine of its own
	sharded    bool // two jobs that share the tests

	install, preBuild, build, postBuild []step

	report    *report
	cache     *cache
	artifacts []string
	onlyTold  string // comment in place of artifacts, when none are certain

	found, notes []string
}

// step is one command with the comment above it. A command of several lines is a script.
type step struct {
	why     string
	command string
}

// report is a group of files with test results, relative to the project.
type report struct {
	group string
	files []string
}

// cache is what later builds find again. Lock names the files whose content makes the key, relative to the project.
type cache struct {
	name  string
	lock  []string
	paths []string
}

// run is a step without a comment.
func run(command string) step { return step{command: command} }

func (r *recipe) foundf(format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf(format, args...))
}
func (r *recipe) notef(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// use sets the image, with the file that its version comes from, or "".
func (r *recipe) use(image, source string) {
	r.image = image
	if source != "" {
		r.imageWhy = "the version comes from " + source
		r.foundf("%s asks for %s", source, image)
	}
}

// shard makes the tests run in two jobs: test gets the lines that search prints at its end.
func (r *recipe) shard(test, search string) {
	r.sharded = true
	r.build = append(r.build, step{
		why:     "Each shard gets its part of the lines that the search prints, at the end of the test command.",
		command: "codebuild-tests-run \\\n  --test-command '" + test + "' \\\n  --files-search \"" + search + "\"\n",
	})
}

// in is a path of the project as a path in the repository.
func (r *recipe) in(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(r.dir, name)
}

func (r *recipe) result() Result {
	return Result{Text: r.text(), Found: r.found, Notes: r.notes, Privileged: r.privileged}
}
