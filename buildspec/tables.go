package buildspec

import "slices"

// The tables of the language. Where a value may be one of several words, the list of them is beside the code that
// reads it.

var topSection = section{must: []string{"version"}, keys: []key{
	{name: "version", about: "The version of the language: 0.2, or 0.1 for old files.", value: versionNumber},
	{name: "run-as", about: "The Linux user that runs the commands of all phases; root if nothing is said.", value: anyText, newer: true},
	{name: "env", about: "The environment of the jobs.", value: block(&envSection), newer: true},
	{name: "environment_variables", about: "Version 0.1's env.", value: block(&oldEnvSection), older: true},
	{name: "proxy", about: "Accepted without effect: logs and artifacts do not leave by way of the job's network.", value: block(&proxySection), newer: true},
	{name: "batch", about: "Makes several jobs of this file: a graph, a list, a matrix or a fanout.", value: block(&batchSection), newer: true},
	{name: "phases", about: "What runs, in this order.", value: filledBlock(&phasesSection)},
	{name: "reports", about: "Report groups: files that hold test results or coverage.", value: byName("", block(&reportSection)), newer: true},
	{name: "artifacts", about: "The files that the build keeps.", value: block(&artifactsSection)},
	{name: "cache", about: "The paths that are taken over from earlier builds.", value: block(&cacheSection), newer: true},
	{name: "x-runner", about: "Extensions of Runner, which CodeBuild ignores.", value: block(&runnerSection)},
}}

var envSection = section{name: "env", keys: []key{
	{name: "shell", about: "The shell that runs the commands; sh if nothing is said.", value: aWord(slices.Concat(shells, windowsShells)...)},
	{name: "variables", about: "Variables with literal values: nothing in them is expanded.", value: texted},
	{name: "parameter-store", about: "Variables whose values are parameters of the daemon's store.", value: texted},
	{name: "secrets-manager", about: "Variables whose values are secrets of the daemon's store: secret-id[:json-key[:version-stage[:version-id]]].", value: texted},
	{name: "exported-variables", about: "Variables whose last values are shown with the build.", value: textList},
	{name: "git-credential-helper", about: "Whether git commands of the job may use the project's credentials.", value: yesNo},
	{name: "image", about: "The image that the jobs run in. An extension of Runner's; the project's setting is the default.", value: anyText},
}}

var oldEnvSection = section{name: "environment_variables", keys: []key{
	{name: "plaintext", about: "Variables with literal values: nothing in them is expanded.", value: texted},
}}

var proxySection = section{name: "proxy", keys: []key{
	{name: "upload-artifacts", about: "Accepted without effect.", value: yesNo},
	{name: "logs", about: "Accepted without effect.", value: yesNo},
}}

var phasesSection = section{name: "phases", closed: true, keys: []key{
	{name: "install", about: "Runs first.", value: block(&installSection)},
	{name: "pre_build", about: "Runs if install succeeded.", value: block(&preBuildSection)},
	{name: "build", about: "Runs if pre_build succeeded.", value: block(&buildSection)},
	{name: "post_build", about: "Runs after build, also when build failed.", value: block(&postBuildSection)},
}}

// phaseKeys are those of every phase. Only install has runtime-versions.
var phaseKeys = []key{
	{name: "run-as", about: "The Linux user that runs the commands of this phase.", value: anyText, newer: true},
	{name: "on-failure", about: "What a failure of this phase does: ABORT, CONTINUE, RETRY, RETRY-count, RETRY-regex or RETRY-count-regex.", value: onFailureWord, newer: true},
	{name: "commands", about: "Commands that run one by one; the first that fails ends them.", value: textList},
	{name: "finally", about: "Commands that run after those, also when one of them failed.", value: textList, newer: true},
}

var (
	installSection = section{name: "phases.install", keys: append([]key{
		{name: "runtime-versions", about: "Runtimes that the image sets up, with their versions.", value: texted, newer: true},
	}, phaseKeys...)}
	preBuildSection  = section{name: "phases.pre_build", keys: phaseKeys}
	buildSection     = section{name: "phases.build", keys: phaseKeys}
	postBuildSection = section{name: "phases.post_build", keys: phaseKeys}
)

var reportSection = section{name: "reports.<group>", must: []string{"files"}, keys: []key{
	{name: "files", about: "Paths and globs, relative to base-directory.", value: textList},
	{name: "file-format", about: "The format of the files; JUNITXML if nothing is said.", value: inAnyCase(reportFormats...)},
	{name: "base-directory", about: "A directory that the files are relative to; the source's root if nothing is said.", value: anyText},
	{name: "discard-paths", about: "Whether the raw files are kept without their directories.", value: yesNo},
}}

// artifactKeys are those of primary and secondary artifacts alike.
var artifactKeys = []key{
	{name: "files", about: "Paths and globs, relative to base-directory.", value: textList},
	{name: "name", about: "The artifact's name; the shell expands it in the job.", value: anyText, newer: true},
	{name: "discard-paths", about: "Whether every file goes to the root of the artifact.", value: yesNo},
	{name: "base-directory", about: "A directory or glob that the other paths are relative to; the source's root if nothing is said.", value: anyText},
	{name: "exclude-paths", about: "Paths and globs to leave out, relative to base-directory.", value: textList, newer: true},
	{name: "enable-symlinks", about: "Whether symbolic links are kept as links.", value: yesNo, newer: true},
	{name: "s3-prefix", about: "Accepted without effect: artifacts are not kept in S3.", value: anyText, newer: true},
	{name: "type", about: "Accepted without effect, a leftover of version 0.1.", value: inAnyCase("zip")},
}

var (
	artifactsSection = section{name: "artifacts", keys: append([]key{
		{name: "secondary-artifacts", about: "Further artifacts, each by its identifier.", value: byName(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,126}$`, block(&secondarySection)), newer: true},
	}, artifactKeys...)}
	secondarySection = section{name: "artifacts.secondary-artifacts.<id>", must: []string{"files"}, keys: artifactKeys}
)

var cacheSection = section{name: "cache", keys: []key{
	{name: "paths", about: "Paths and globs, also outside the source.", value: textList},
	{name: "key", about: "Names the cache; the shell expands it in the job. A cache with a key is written once.", value: anyText},
	{name: "fallback-keys", about: "Beginnings of keys to try when no cache has the key, at most five.", value: textList},
	{name: "action", about: "restore or save, to do only one of the two.", value: inAnyCase(cacheActions...)},
}}
