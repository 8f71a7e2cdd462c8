package starter

import "strconv"

// writeFallback is for a repository that says nothing about how it is built, or says it in a file that is not known
// here.
func writeFallback(r *recipe, unknown string) {
	r.title = "A buildspec to fill in: see docs/buildspec.md for all that it can hold."
	r.image = "debian:stable-slim"
	r.install = []step{{
		why:     "install is for tools that the image lacks.",
		command: "cat /etc/os-release",
	}}
	r.build = []step{{
		why:     "One command a line; the first that fails ends the phase. Replace this one by those that build and test.",
		command: `echo "building $CODEBUILD_RESOLVED_SOURCE_VERSION"`,
	}}
	r.onlyTold = "What a job leaves is kept when it is named:\n\n" +
		"artifacts:\n  files:\n    - dist/**/*\n\nreports:\n  tests:\n    files:\n      - reports/*.xml"
	if unknown != "" {
		r.notef("%s is not known here: put the commands that build and test into phases.build", unknown)
		return
	}
	r.notef("no language was recognised: put the commands that build and test into phases.build")
}

// plural is a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
