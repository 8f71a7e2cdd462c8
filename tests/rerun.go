package tests

import (
	"path"
	"regexp"
	"strings"
	"unicode"
)

// RerunWhole runs a working tree's whole build locally, for a test whose runner is not known.
const RerunWhole = "runner run"

// Rerun is the command that runs one test alone in a checkout. Commands is what its job runs: it tells which of a
// language's runners is used. Where none is known, it is RerunWhole.
func Rerun(c *Case, commands string) string {
	file := c.File
	if absolute(file) || strings.HasPrefix(file, "../") || strings.HasPrefix(file, "-") {
		file = ""
	}
	has := func(word string) bool { return strings.Contains(commands, word) }
	ext := path.Ext(file)
	switch {
	case ext == ".go" || file == "" && has("go test"):
		return rerunGo(c, file)
	case file == "":
		return rerunJava(c, "", has)
	case ext == ".py" && (has("pytest") || !has("unittest")):
		return "pytest " + shellWord(pytestNode(c, file))
	case ext == ".rb" && has("rspec"):
		return "bundle exec rspec " + shellWord(file) + " -e " + shellWord(c.Name)
	case ext == ".php" && has("phpunit"):
		return "vendor/bin/phpunit --filter " + shellWord(regexp.QuoteMeta(c.Name)) + " " + shellWord(file)
	case ext == ".java" || ext == ".kt" || ext == ".scala" || ext == ".groovy":
		return rerunJava(c, file, has)
	}
	return rerunScript(c, file, has)
}

// goName is what go test -run takes for a test and each of its subtests.
var goName = regexp.MustCompile(`^(Test|Example|Fuzz)`)

func rerunGo(c *Case, file string) string {
	pkg := c.Class
	if dir := path.Dir(file); file != "" && (dir != "." || !strings.Contains(pkg, "/")) {
		pkg = "./" + strings.TrimPrefix(dir, ".")
	}
	if pkg == "" || strings.HasPrefix(pkg, "-") {
		return RerunWhole
	}
	if c.Build || !goName.MatchString(c.Name) {
		return "go test " + shellWord(pkg)
	}
	parts := strings.Split(c.Name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return "go test -run " + shellWord(strings.Join(parts, "/")) + " " + shellWord(pkg)
}

// pytestNode is path::Class::name. The class that pytest writes begins with the module.
func pytestNode(c *Case, file string) string {
	node := file
	if c.Build {
		return node
	}
	module := strings.ReplaceAll(strings.TrimSuffix(file, ".py"), "/", ".")
	if class, ok := strings.CutPrefix(c.Class, module+"."); ok {
		node += "::" + strings.ReplaceAll(class, ".", "::")
	}
	return node + "::" + c.Name
}

func rerunJava(c *Case, file string, has func(string) bool) string {
	class := c.Class
	if class == "" && file != "" {
		class = strings.TrimSuffix(path.Base(file), path.Ext(file))
	}
	name, _, _ := strings.Cut(strings.TrimSuffix(c.Name, "()"), "(")
	switch {
	case class == "":
	case has("mvn"):
		return "mvn test -Dtest=" + shellWord(class+"#"+name)
	case has("gradle"):
		return "./gradlew test --tests " + shellWord(class+"."+name)
	}
	return RerunWhole
}

// rerunScript is of JavaScript and TypeScript, whose runners look alike.
func rerunScript(c *Case, file string, has func(string) bool) string {
	switch path.Ext(file) {
	case ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts":
	default:
		return RerunWhole
	}
	name := shellWord(regexp.QuoteMeta(c.Name))
	switch {
	case has("vitest"):
		return "npx vitest run " + shellWord(file) + " -t " + name
	case has("jest"):
		return "npx jest " + shellWord(file) + " -t " + name
	case has("mocha"):
		return "npx mocha " + shellWord(file) + " -g " + name
	case has("node --test"):
		return "node --test --test-name-pattern=" + name + " " + shellWord(file)
	}
	return RerunWhole
}

// plainWord needs no quotes in any POSIX shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._:@%,+=-]+$`)

// shellWord makes one word of a text for a POSIX shell, without what could hide in a terminal.
func shellWord(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
