package starter

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// nodeRunner is a program that runs tests, and takes the files to run at its end.
type nodeRunner struct {
	name    string
	command []string // how the script test begins
	needs   string   // the package that writes JUnit, "" where none is needed
	flags   string   // that make it write reports/NAME.xml
}

var nodeRunners = []nodeRunner{
	{"jest", []string{"jest"}, "jest-junit", " --reporters=default --reporters=jest-junit"},
	{"vitest", []string{"vitest"}, "vitest", " --reporter=default --reporter=junit --outputFile=reports/vitest.xml"},
	{"node", []string{"node", "--test"}, "node", ""},
}

// noTest is what npm init writes as the script test.
const noTest = "no test specified"

// nodeTests adds the script test, in shards where its program takes files and there are several.
func nodeTests(f folder, m manifest, pm manager, r *recipe) {
	script := m.scripts["test"]
	if script == "" || strings.Contains(script, noTest) {
		if m.scripts["build"] == "" {
			r.build = append(r.build, step{why: "Replace this by the command that runs the tests.", command: `echo "there are no tests yet"`})
		}
		r.notef("package.json has no script test: add one, and %s to phases.build", strings.TrimSuffix(pm.test, " --"))
		return
	}
	runner, takesFiles := runnerOf(script)
	command, below := pm.test, ""
	if !takesFiles {
		if direct, dir, ok := nodeDirect(script); ok { // the script names a folder, and files beside it would add to that
			runner, takesFiles, command, below = nodeRunners[2], true, direct, dir
		}
	}
	if takesFiles && runner.needs != "node" && m.depends[runner.needs] != "" {
		command += runner.flags
		r.report = &report{runner.name, []string{"reports/" + runner.name + ".xml"}}
		if runner.name == "jest" {
			r.variables = append(r.variables, [2]string{"JEST_JUNIT_OUTPUT_FILE", "reports/jest.xml"})
		}
	}
	tests := f.matching(func(name string) bool { return isNodeTest(name) && strings.HasPrefix(name, below) })
	globs := globsOf(tests, nodePattern)
	if takesFiles && len(tests) > 1 && len(globs) > 0 {
		r.foundf("%s of tests for %s", plural(len(tests), "file", "files"), runner.name)
		r.shard(command, "codebuild-glob-search "+strings.Join(globs, " "))
		return
	}
	r.foundf("the script test")
	r.build = append(r.build, run(strings.TrimSuffix(command, " --")))
}

// shellSigns mean that a script is more than one command.
var shellSigns = regexp.MustCompile("[&|;<>$`(]")

// runnerOf finds the program of the script test, when it runs nothing else and no files of its own.
func runnerOf(script string) (nodeRunner, bool) {
	if shellSigns.MatchString(script) {
		return nodeRunner{}, false
	}
	words := strings.Fields(script)
	for len(words) > 0 && (strings.Contains(words[0], "=") || words[0] == "cross-env" || words[0] == "npx") {
		words = words[1:]
	}
	for _, runner := range nodeRunners {
		n := len(runner.command)
		if len(words) < n || !slices.Equal(words[:n], runner.command) {
			continue
		}
		rest := words[n:]
		if runner.name == "vitest" && len(rest) > 0 && rest[0] == "run" {
			rest = rest[1:]
		}
		if slices.ContainsFunc(rest, func(word string) bool { return !strings.HasPrefix(word, "-") || strings.HasPrefix(word, "--watch") }) {
			return nodeRunner{}, false
		}
		return runner, true
	}
	return nodeRunner{}, false
}

var nodeFolder = regexp.MustCompile(`^(node --test(?: --[A-Za-z0-9=_-]+)*) \.?/?([A-Za-z0-9_][A-Za-z0-9_-]*)/?$`)

// nodeDirect is how to call Node's own tests when the script names one folder of them, and that folder.
func nodeDirect(script string) (command, dir string, ok bool) {
	m := nodeFolder.FindStringSubmatch(strings.TrimSpace(script))
	if m == nil {
		return "", "", false
	}
	return m[1], m[2] + "/", true
}

var nodeTestName = regexp.MustCompile(`\.(test|spec)(\.(?:js|jsx|mjs|cjs|ts|tsx|mts|cts))$`)

func isNodeTest(name string) bool { return nodeTestName.MatchString(path.Base(name)) }

// nodePattern is the pattern for files that end like this one: "*.test.ts".
func nodePattern(name string) string { return "*" + nodeTestName.FindString(path.Base(name)) }
