package buildspec

var batchSection = section{name: "batch", keys: []key{
	{name: "fast-fail", about: "Whether the first job that fails stops the others.", value: yesNo},
	{name: "build-graph", about: "Jobs that wait for one another.", value: blocks(&graphEntry)},
	{name: "build-list", about: "Jobs that run at once.", value: blocks(&listEntry)},
	{name: "build-matrix", about: "A job for each combination of values.", value: block(&matrixSection)},
	{name: "build-fanout", about: "The same job several times, each with another part of the tests.", value: block(&fanoutSection)},
}}

var entryKeys = []key{
	{name: "identifier", about: "The job's name, and its CODEBUILD_BATCH_BUILD_IDENTIFIER.", value: anyText},
	{name: "buildspec", about: "Another file of the repository that says what the job runs.", value: anyText},
	{name: "env", about: "What is different in this job's environment.", value: block(&entryEnvSection)},
	{name: "ignore-failure", about: "Whether the build can succeed although this job failed.", value: yesNo},
	{name: "debug-session", about: "Whether codebuild-breakpoint holds this job.", value: yesNo},
}

var (
	graphEntry = section{name: "batch.build-graph[]", must: []string{"identifier"}, keys: append([]key{
		{name: "depend-on", about: "Identifiers of jobs that must succeed before this one starts.", value: textList},
	}, entryKeys...)}
	listEntry = section{name: "batch.build-list[]", must: []string{"identifier"}, keys: entryKeys}
)

var entryEnvSection = section{name: "batch.build-graph[].env", keys: []key{
	{name: "compute-type", about: "Processors and memory, by CodeBuild's names.", value: inAnyCase(computeNames()...)},
	{name: "fleet", about: "Accepted without effect: there are no reserved fleets.", value: anyText},
	{name: "image", about: "The image that this job runs in.", value: anyText},
	{name: "privileged-mode", about: "Whether the job may run containers of its own; the project must allow it.", value: yesNo},
	{name: "type", about: "The kind of machine.", value: inAnyCase(envTypes...)},
	{name: "variables", about: "Variables of this job; they win over those of the file and of the project.", value: texted},
}}

var (
	matrixSection = section{name: "batch.build-matrix", keys: []key{
		{name: "static", about: "What all jobs have in common.", value: block(&staticSection)},
		{name: "dynamic", about: "Lists of values: one job for each combination.", value: block(&dynamicSection)},
	}}
	staticSection = section{name: "batch.build-matrix.static", keys: []key{
		{name: "ignore-failure", about: "Whether the build can succeed although a job failed.", value: yesNo},
		{name: "env", about: "What is different in the environment of all jobs.", value: block(&entryEnvSection)},
	}}
	dynamicSection = section{name: "batch.build-matrix.dynamic", keys: []key{
		{name: "buildspec", about: "Files of the repository that say what the jobs run.", value: textList},
		{name: "env", about: "Lists of values for the environment.", value: block(&axesSection)},
	}}
	axesSection = section{name: "batch.build-matrix.dynamic.env", keys: []key{
		{name: "compute-type", about: "Compute types.", value: textList},
		{name: "image", about: "Images.", value: textList},
		{name: "type", about: "Kinds of machine.", value: textList},
		{name: "privileged-mode", about: "Yes, no or both.", value: textList},
		{name: "variables", about: "A list of values for each variable.", value: byName("", textList)},
	}}
)

var fanoutSection = section{name: "batch.build-fanout", must: []string{"parallelism"}, keys: []key{
	{name: "parallelism", about: "How many jobs share the tests, 1 to 256.", value: wholeNumber(1, MaxParallelism)},
	{name: "ignore-failure", about: "Whether the build can succeed although a shard failed.", value: yesNo},
}}

var (
	runnerSection = section{name: "x-runner", keys: []key{
		{name: "services", about: "Containers beside each job, which it reaches by their names.", value: byName(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`, block(&serviceSection))},
		{name: "images", about: "Images that are built of the workspace once the job has succeeded, and pushed.", value: byName(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`, block(&imageSection))},
		{name: "network", about: "What the job may reach, where its project lets it reach more: private addresses, or none.", value: inAnyCase(networks...)},
		{name: "patch", about: "Patterns of files that come back to whoever submitted them, where the build changes them.", value: textList},
		{name: "shards", about: "How many jobs share the tests, instead of parallelism: a number, or auto.", value: shardsValue},
		{name: "sharding", about: "How codebuild-tests-run divides the tests, instead of its own option.", value: inAnyCase(shardings...)},
		{name: "tests", about: "What becomes of tests that fail.", value: block(&testsSection)},
	}}
	testsSection = section{name: "x-runner.tests", keys: []key{
		{name: "retry", about: "How often a test file that failed is tried again: a number, or a budget. Default 0.", value: testRetryValue},
		{name: "flaky", about: "Whether tests that fail and then pass let the build pass or fail it. Default pass.", value: inAnyCase("pass", "fail")},
	}}
	testRetrySection = section{name: "x-runner.tests.retry", keys: []key{
		{name: "each", about: "How often one file is tried again, 0 to 10. Default 1.", value: wholeNumber(0, mostEach)},
		{name: "tests", about: "How many further tries there are in all. Default 10.", value: wholeNumber(1, mostTestRetries)},
		{name: "share", about: "When more than this part of all files has failed, none is tried again: 0.1.", value: anyText},
		{name: "time", about: "How long the tries may have taken that are repeated, in all: 5m, 90s, or seconds.", value: anyText},
	}}
	shardsSection = section{name: "x-runner.shards", keys: []key{
		{name: "auto", about: "Whether the number is chosen from what is known of the tests.", value: yesNo},
		{name: "target", about: "How long the tests may take: 5m, 90s, or seconds. Without it, as many as are worth it.", value: anyText},
	}}
	serviceSection = section{name: "x-runner.services.<name>", must: []string{"image"}, keys: []key{
		{name: "image", about: "The image of the service.", value: anyText},
		{name: "command", about: "Runs instead of the image's command: a text for sh, or a list of words.", value: textList},
		{name: "entrypoint", about: "Runs instead of the image's entrypoint: a text for sh, or a list of words.", value: textList},
		{name: "variables", about: "The environment of the service.", value: texted},
		{name: "health", about: "How to tell that the service is ready.", value: block(&healthSection)},
	}}
	imageSection = section{name: "x-runner.images.<name>", keys: []key{
		{name: "dockerfile", about: "The file that the image is built by. Default Dockerfile, in the context.", value: anyText},
		{name: "context", about: "The directory that COPY takes files from. Default the source's root.", value: anyText},
		{name: "target", about: "The stage to build. Default the last.", value: anyText},
		{name: "args", about: "Build arguments, with literal values.", value: texted},
		{name: "secrets", about: "Variables of parameter-store or secrets-manager that RUN --mount=type=secret,id=NAME may read.", value: textList},
		{name: "labels", about: "Labels of the image, beside those of the source.", value: texted},
		{name: "push", about: "The registry and the repository that trusted builds push to. Without it nothing is pushed.", value: anyText},
		{name: "tags", about: "Templates of the tags: {commit}, {commit.short}, {branch}, {tag}, {semver}, {semver.major}, {semver.minor}, {semver.patch}, {build}. Default {commit}.", value: textList},
		{name: "cache", about: "Whether layers of earlier builds are used. Default yes.", value: yesNo},
	}}
	healthSection = section{name: "x-runner.services.<name>.health", must: []string{"command"}, keys: []key{
		{name: "command", about: "A command for the service's shell; exit status 0 means ready.", value: anyText},
		{name: "interval", about: "Time between two tries: 5s, 1m, or seconds. Default 2s.", value: anyText},
		{name: "timeout", about: "How long one try may take. Default 5s.", value: anyText},
		{name: "retries", about: "How many tries in a row must fail until the service is given up. Default 30.", value: wholeNumber(1, maxRetries)},
		{name: "start-period", about: "Time at the beginning in which failures do not count. Default 0.", value: anyText},
	}}
)

// allSections are the sections of the language, outermost first.
func allSections() []section {
	return []section{
		topSection, envSection, oldEnvSection, proxySection,
		phasesSection, installSection, preBuildSection, buildSection, postBuildSection,
		reportSection, artifactsSection, secondarySection, cacheSection,
		batchSection, graphEntry, listEntry, entryEnvSection,
		matrixSection, staticSection, dynamicSection, axesSection, fanoutSection,
		runnerSection, shardsSection, testsSection, testRetrySection, serviceSection, healthSection, imageSection,
	}
}

// phaseSection is the section of one phase.
func phaseSection(name string) section {
	switch name {
	case "install":
		return installSection
	case "pre_build":
		return preBuildSection
	case "build":
		return buildSection
	}
	return postBuildSection
}
