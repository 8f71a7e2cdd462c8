package starter

import (
	"regexp"
	"strings"
)

var (
	mavenRelease = regexp.MustCompile(`<(?:maven\.compiler\.release|java\.version|release|maven\.compiler\.target|maven\.compiler\.source)>\s*(?:1\.)?([0-9]+)\s*<`)
	mavenModules = regexp.MustCompile(`<modules>`)
	mavenWar     = regexp.MustCompile(`<packaging>\s*war\s*<`)
	gradleJava   = regexp.MustCompile(`(?:JavaLanguageVersion\.of\(|jvmToolchain\(|VERSION_(?:1_)?|(?:source|target)Compatibility\s*=\s*["']?(?:1\.)?)([0-9]+)`)
)

// jdks are the versions of Java that images are kept for, oldest first.
var jdks = []string{"8", "11", "17", "21", "25"}

// usualJDK is for projects that do not say.
const usualJDK = "21"

func writeJava(f folder, r *recipe) {
	maven := f.has("pom.xml")
	build := f.first("pom.xml", "build.gradle.kts", "build.gradle")
	version, source := javaVersion(f, build, maven)
	r.title = "Builds the Java project and runs its tests."
	if maven {
		writeMaven(f, r, version, source)
	} else {
		writeGradle(f, r, version, source)
	}
}

// javaVersion is the oldest JDK of jdks that serves, and where that comes from.
func javaVersion(f folder, build string, maven bool) (version, source string) {
	pattern := gradleJava
	if maven {
		pattern = mavenRelease
	}
	asked := ""
	for _, place := range []struct{ name, text string }{
		{".java-version", f.read(".java-version")},
		{".sdkmanrc", after(f.read(".sdkmanrc"), "java=")},
		{".tool-versions", strings.TrimLeft(asdf(f, "java"), "abcdefghijklmnopqrstuvwxyz-")},
	} {
		if asked = cutTo(strings.TrimPrefix(leading(place.text), "1."), 1); asked != "" {
			source = place.name
			break
		}
	}
	if asked == "" {
		if m := pattern.FindStringSubmatch(f.read(build)); m != nil {
			asked, source = m[1], build
		}
	}
	if asked == "" {
		return usualJDK, ""
	}
	for _, jdk := range jdks {
		if compare(jdk, asked) >= 0 {
			return jdk, source
		}
	}
	return asked, source
}

func writeMaven(f folder, r *recipe, version, source string) {
	command := "mvn"
	if f.has("mvnw") {
		command = wrapper(f, r, "mvnw")
		r.use("eclipse-temurin:"+version, source)
	} else {
		r.use("maven:3-eclipse-temurin-"+version, source)
	}
	r.install = append(r.install, run(command+" --version"))
	r.build = []step{{
		why:     "Batch mode, without a line for each download.",
		command: command + " --batch-mode --no-transfer-progress verify",
	}}
	below, kind := "", "jar"
	text := f.read("pom.xml")
	if mavenModules.MatchString(text) {
		below = "**/"
		r.foundf("pom.xml has modules")
	}
	if mavenWar.MatchString(text) {
		kind = "war"
	}
	r.report = &report{"maven", []string{below + "target/surefire-reports/TEST-*.xml"}}
	r.artifacts = []string{below + "target/*." + kind}
	r.cache = &cache{name: "maven", lock: []string{"pom.xml"}, paths: []string{"/root/.m2/**/*"}}
	if below != "" {
		r.cache.lock = []string{"**/pom.xml"}
	}
}

func writeGradle(f folder, r *recipe, version, source string) {
	command := "gradle"
	if f.has("gradlew") {
		command = wrapper(f, r, "gradlew")
		r.use("eclipse-temurin:"+version, source)
	} else {
		r.use("gradle:jdk"+version, source)
	}
	r.install = append(r.install, run(command+" --version"))
	r.build = []step{{why: "The daemon would outlive the command for nothing.", command: command + " --no-daemon --console=plain build"}}
	below := ""
	if settings := f.first("settings.gradle.kts", "settings.gradle"); settings != "" && strings.Contains(f.read(settings), "include") {
		below = "**/"
		r.foundf("%s includes further projects", settings)
	}
	r.report = &report{"gradle", []string{below + "build/test-results/**/TEST-*.xml"}}
	r.artifacts = []string{below + "build/libs/*.jar"}
	r.cache = &cache{
		name: "gradle", lock: []string{"**/*.gradle*", "**/gradle-wrapper.properties"},
		paths: []string{"/root/.gradle/caches/**/*", "/root/.gradle/wrapper/**/*"},
	}
	if strings.Contains(f.read("build.gradle")+f.read("build.gradle.kts"), "com.android.") {
		r.notef("this builds for Android: name an image that holds its SDK in env.image")
	}
}

// wrapper is how the project's own copy of the tool is called. One that lost its mode is given it back.
func wrapper(f folder, r *recipe, name string) string {
	r.foundf("the wrapper %s", name)
	if !f.executable(name) {
		r.install = append(r.install, run("chmod +x "+name))
	}
	return "./" + name
}

// after is the rest of the first line that begins with a word.
func after(text, word string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), word); ok {
			return rest
		}
	}
	return ""
}

var leadingVersion = regexp.MustCompile(`^[0-9]+(\.[0-9]+){0,2}`)

// leading is the version that a text begins with: "21.0.2-tem" is "21.0.2".
func leading(text string) string { return leadingVersion.FindString(strings.TrimSpace(text)) }
