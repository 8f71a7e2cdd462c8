package starter

import (
	"regexp"
	"slices"
	"strings"
)

var pythonManifests = []string{"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "tox.ini", "requirements.txt"}

var (
	pythonRange   = regexp.MustCompile(`(?m)^\s*(?:requires-python|python_requires|python)\s*=\s*["']?([^"'\n]+)["']?`)
	pythonVersion = regexp.MustCompile(`(?m)^\s*python_version\s*=\s*["']([0-9.]+)["']`)
	pythonExtra   = regexp.MustCompile(`(?m)^(test|tests|testing|dev)\s*=\s*\[`)
	pythonBuild   = regexp.MustCompile(`(?m)^\[build-system\]`)
	pytestNamed   = regexp.MustCompile(`(?m)(?:^|["'])pytest(?:$|[\s\[<>=~!;"'])`)
	pythonRuntime = regexp.MustCompile(`^python-([0-9.]+)`)
)

// pythons are the versions of Python that images are kept for, the usual one first.
var pythons = []string{"3.13", "3.12", "3.11", "3.10", "3.9", "3.8", "3.14"}

// pythonTool is how a Python project's dependencies are installed and its programs called.
type pythonTool struct {
	install []step
	prefix  string   // before every program: "uv run "
	lock    []string // files that the cache's key is made of
	cache   string

	required string // text of the requirements that pip installs
}

func writePython(f folder, r *recipe) {
	version, source := pythonVersionOf(f)
	r.title = "Installs the Python project and runs its tests."
	r.use("python:"+version, source)
	tool := pythonToolOf(f, r)
	r.install = append([]step{run("python --version")}, tool.install...)
	r.cache = &cache{name: "python", lock: tool.lock, paths: []string{tool.cache}}
	pythonTests(f, r, tool)
	r.onlyTold = "artifacts: with files: keeps what a job leaves, such as dist/*.whl."
}

func pythonVersionOf(f folder) (version, source string) {
	if v := exact(f.read(".python-version")); v != "" {
		return v, ".python-version"
	}
	if v := exact(asdf(f, "python")); v != "" {
		return v, ".tool-versions"
	}
	if m := pythonRuntime.FindStringSubmatch(f.read("runtime.txt")); m != nil && exact(m[1]) != "" {
		return exact(m[1]), "runtime.txt"
	}
	for _, name := range []string{"pyproject.toml", "setup.cfg", "setup.py"} {
		if m := pythonRange.FindStringSubmatch(f.read(name)); m != nil {
			return within(m[1], pythons...), name
		}
	}
	if m := pythonVersion.FindStringSubmatch(f.read("Pipfile")); m != nil && exact(m[1]) != "" {
		return exact(m[1]), "Pipfile"
	}
	return pythons[0], ""
}

func pythonToolOf(f folder, r *recipe) pythonTool {
	project := f.read("pyproject.toml")
	switch {
	case f.has("uv.lock"):
		r.foundf("uv.lock: uv installs what it names")
		return pythonTool{install: []step{run("pip install uv"), run("uv sync --frozen")}, prefix: "uv run --frozen ", lock: []string{"uv.lock"}, cache: "/root/.cache/uv/**/*"}
	case f.has("poetry.lock") || strings.Contains(project, "[tool.poetry]"):
		lock := f.first("poetry.lock", "pyproject.toml")
		r.foundf("Poetry, by %s", lock)
		return pythonTool{install: []step{run("pip install poetry"), run("poetry install --no-interaction")}, prefix: "poetry run ", lock: []string{lock}, cache: "/root/.cache/pypoetry/**/*"}
	case f.has("Pipfile"):
		lock, command := "Pipfile", "pipenv install --dev"
		if f.has("Pipfile.lock") {
			lock, command = "Pipfile.lock", "pipenv sync --dev"
		}
		r.foundf("Pipenv, by %s", lock)
		return pythonTool{install: []step{run("pip install pipenv"), run(command)}, prefix: "pipenv run ", lock: []string{lock}, cache: "/root/.cache/pip/**/*"}
	}
	return pipTool(f, r, project)
}

// pipTool installs with pip: the files of requirements, then the project itself where it is a package.
func pipTool(f folder, r *recipe, project string) pythonTool {
	tool := pythonTool{cache: "/root/.cache/pip/**/*", lock: requirementFiles(f)}
	if len(tool.lock) == 0 {
		tool.lock = []string{f.first("pyproject.toml", "setup.py", "setup.cfg", "tox.ini")}
	}
	for _, name := range requirementFiles(f) {
		r.foundf("%s", name)
		tool.required += f.read(name) + "\n"
		tool.install = append(tool.install, run("pip install --requirement "+name))
	}
	if pythonBuild.MatchString(project) || strings.Contains(project, "[project]") || f.has("setup.py") {
		command := "pip install --editable ."
		if _, extras, found := strings.Cut(project, "[project.optional-dependencies]"); found {
			if m := pythonExtra.FindStringSubmatch(extras); m != nil {
				command = "pip install --editable '.[" + m[1] + "]'"
				tool.required += extras
			}
		}
		tool.install = append(tool.install, run(command))
	}
	return tool
}

// requirementFiles are those for running and for testing; documentation and the like have theirs too.
func requirementFiles(f folder) []string {
	var found []string
	for _, name := range []string{
		"requirements.txt", "requirements-dev.txt", "requirements_dev.txt", "dev-requirements.txt",
		"requirements-test.txt", "requirements_test.txt", "test-requirements.txt", "requirements/dev.txt", "requirements/test.txt",
	} {
		if f.has(name) {
			found = append(found, name)
		}
	}
	return found
}

// pythonTests adds the tests: tox where only tox knows how, Django's own, else pytest, which runs unittest's too.
func pythonTests(f folder, r *recipe, tool pythonTool) {
	known := f.read("pyproject.toml") + f.read("setup.cfg") + f.read("setup.py") + f.read("Pipfile") + tool.required
	tests := pythonTestFiles(f)
	hasPytest := strings.Contains(known, "pytest") || f.has("pytest.ini", "conftest.py", "tests/conftest.py")
	switch {
	case f.has("tox.ini") && tool.prefix == "" && !strings.Contains(known, "pytest"):
		r.foundf("tox.ini")
		r.install = append(r.install, run("pip install tox"))
		r.build = append(r.build, step{why: "The environment of the Python that the image has.", command: "tox run -e py"})
		return
	case f.has("manage.py") && !hasPytest:
		r.foundf("the tests of a Django project")
		r.build = append(r.build, run(tool.prefix+"python manage.py test"))
		return
	case len(tests) == 0 && !hasPytest:
		r.build = append(r.build, step{why: "Replace this by the command that runs the tests.", command: tool.prefix + "python -m compileall -q ."})
		r.notef("no tests were found: put the command that runs them into phases.build")
		return
	}
	if tool.prefix == "" && !pytestNamed.MatchString(tool.required) {
		r.install = append(r.install, run("pip install pytest"))
	}
	r.foundf("%s of tests for pytest", plural(len(tests), "file", "files"))
	command := tool.prefix + "python -m pytest --junitxml=reports/pytest.xml"
	r.report = &report{"pytest", []string{"reports/pytest.xml"}}
	if globs := globsOf(tests, pythonPattern); len(tests) > 1 && len(globs) > 0 {
		r.shard(command, "codebuild-glob-search "+strings.Join(globs, " "))
		return
	}
	r.build = append(r.build, run(command))
}

// pythonTestFiles are the files that pytest takes: those of the folder for tests where there is one, because examples
// and tools beside it need more than the project installs.
func pythonTestFiles(f folder) []string {
	all := f.matching(func(name string) bool { return strings.HasSuffix(name, ".py") && pythonPattern(name) != "" })
	var usual []string
	for _, name := range all {
		if strings.HasPrefix(name, "tests/") || strings.HasPrefix(name, "test/") {
			usual = append(usual, name)
		}
	}
	if len(usual) > 0 {
		return usual
	}
	return all
}

// pythonPattern is the pattern of pytest's that a file's name has, "" when it has none.
func pythonPattern(name string) string {
	base := name[strings.LastIndex(name, "/")+1:]
	switch {
	case strings.HasPrefix(base, "test_"):
		return "test_*.py"
	case strings.HasSuffix(base, "_test.py"):
		return "*_test.py"
	}
	return ""
}

// maxGlobs bounds the patterns of a search; beyond them the tests are not split.
const maxGlobs = 6

// globsOf are quoted patterns that find the files: one for each folder at the top and each kind of name. nil when there
// are too many, or when a folder has a name that a shell would not leave alone.
func globsOf(files []string, pattern func(string) string) []string {
	var globs []string
	for _, name := range files {
		top, _, nested := strings.Cut(name, "/")
		glob := pattern(name)
		if nested {
			if !plainPath.MatchString(top) {
				return nil
			}
			glob = top + "/**/" + glob
		}
		if glob = "'" + glob + "'"; !slices.Contains(globs, glob) {
			globs = append(globs, glob)
		}
	}
	if len(globs) > maxGlobs {
		return nil
	}
	return globs
}
